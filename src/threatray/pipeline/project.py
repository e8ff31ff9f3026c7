"""The project file: everything a run needs, with a default for all but the data."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from threatray.balance.plan import PlanConfig
from threatray.balance.quota import Strategy
from threatray.datasets.taxonomy import Taxonomy, Vocabulary, read_id_list
from threatray.errors import ConfigError, DataError
from threatray.photos.rules import IntakeRules
from threatray.pipeline.settings import from_table
from threatray.pipeline.sources import Role
from threatray.pipeline.stages.compose_stage import OutputConfig
from threatray.pipeline.stages.score_stage import ScoreConfig
from threatray.pipeline.stages.signatures_stage import SignaturesConfig
from threatray.pipeline.stages.split_stage import SplitConfig
from threatray.pipeline.stages.translate_stage import TranslateConfig
from threatray.pipeline.stages.uplift_stage import UpliftConfig
from threatray.synthesis.config import TrainConfig
from threatray.tip.draw import ComposeConfig


@dataclass(frozen=True)
class DataConfig:
    """Where the data are; relative paths are relative to the project file.

    Args:
        labelled: Labelled scans with threats: a folder or annotation file (COCO, VOC).
        benign: Bags without threats: a folder of images, or a dataset.
        photos: Photos of threats, one folder a class.
        photo_masks: Masks of the photos, in the same layout.
        validation: A validation set of its own; else a part of the labelled scans and benign bags.
        test: A test set of its own; else a part of both.
        truth: A signature library with the true X-ray of each photo, used by ``score`` alone.
        labelled_format: The labelled scans' format, if it shall not be detected.
        classes: The threat classes; all that occur if empty.
        aliases: Another class name -> class.
        taxonomy: A taxonomy file instead of the shipped one; ``threatray init --taxonomy FILE`` writes one to change.
        white_level: Count of empty air in 16-bit and grey scans whose dataset does not say; each scan's own air tells if not given.
        mislabelled: A text file with the ids of images that pass for benign but hold a threat, one a line; they are set aside.
    """

    labelled: Path
    benign: Path
    photos: Path
    photo_masks: Path | None = None
    validation: Path | None = None
    test: Path | None = None
    truth: Path | None = None
    labelled_format: str | None = None
    classes: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    taxonomy: Path | None = None
    white_level: int | None = None
    mislabelled: Path | None = None

    @property
    def meaning(self) -> Taxonomy:
        """What labels mean: classes, aliases and the taxonomy file."""
        words = Vocabulary.read(self.taxonomy) if self.taxonomy is not None else None
        mislabelled = read_id_list(self.mislabelled) if self.mislabelled is not None else ()
        return Taxonomy(self.classes, self.aliases, words, self.white_level, mislabelled)

    @property
    def datasets(self) -> dict[Role, Path]:
        """Role -> folder, of those that are given."""
        given = {Role.LABELLED: self.labelled, Role.BENIGN: self.benign, Role.VALIDATION: self.validation, Role.TEST: self.test}
        return {role: path for role, path in given.items() if path is not None}


@dataclass(frozen=True)
class Project:
    """A whole run.

    Args:
        data: Where the data are.
        name: Shown in the report.
        seed: Seed of everything; ``--seed`` overrules it.
        split: Training, validation and test.
        photos: Intake of photos.
        signatures: Isolation from labelled scans.
        train: The translator.
        translate: The gate.
        plan: How many composites.
        compose: How threats are put into bags.
        output: What is written of composites.
        score: Fidelity.
        uplift: The detector experiment.
    """

    data: DataConfig
    name: str = "project"
    seed: int = 0
    split: SplitConfig = SplitConfig()
    photos: IntakeRules = IntakeRules()
    signatures: SignaturesConfig = SignaturesConfig()
    train: TrainConfig = TrainConfig()
    translate: TranslateConfig = TranslateConfig()
    plan: PlanConfig = PlanConfig(Strategy.EQUALISE)
    compose: ComposeConfig = ComposeConfig()
    output: OutputConfig = OutputConfig()
    score: ScoreConfig = ScoreConfig()
    uplift: UpliftConfig = UpliftConfig()


def read_project(path: Path) -> Project:
    """Read and check a project file.

    Raises:
        ConfigError: Not TOML, an unknown or missing key, a value of another type or out of range.
        DataError: A data folder that does not exist.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such project file. `threatray init {path}` writes one to fill in.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}.") from None
    project = from_table(Project, table, str(path))
    data = project.data
    found = {key: path.parent / value for key in _PATH_KEYS if isinstance(value := getattr(data, key), Path)}
    for key, place in found.items():
        if not place.exists():
            raise DataError(f"{path}, [data] {key}: {place} does not exist.")
    photos = project.photos
    if photos.salient_model is not None:
        photos = replace(photos, salient_model=path.parent / photos.salient_model)
    return replace(project, data=replace(data, **found), photos=photos)  # type: ignore[arg-type]


_PATH_KEYS: Final = ("labelled", "benign", "photos", "photo_masks", "validation", "test", "truth", "taxonomy", "mislabelled")

TEMPLATE: Final = """\
# A threatray project. Paths are relative to this file; every key that is commented out shows its default.
name = "my-project"
seed = 7

[data]
labelled = "scans"          # labelled scans with threats: COCO, or Pascal VOC as SIXray has it
benign = "bags"             # bags without threats: a folder of images, or a dataset
photos = "photos"           # photos/gun/*.jpg, photos/knife/*.jpg, ...
# photo_masks = "masks"     # masks of the photos in the same layout, if there are any
# test = "test"             # a test set of its own; else a share of the above, split by group
classes = ["gun", "knife"]  # leave out to take every class that occurs
# aliases = { "my gun" = "gun" }   # names that the shipped taxonomy does not know; "Gun", "handgun", "Folding_Knife" it does
# taxonomy = "taxonomy.toml"       # your own instead of the shipped one: threatray init --taxonomy taxonomy.toml
# white_level = 60000              # count of empty air in 16-bit scans; else it is taken from each scan's own air

[split]
# validation_share = 0.15
# test_share = 0.3

[train]
# translator = "cyclegan"   # cyclegan, cut, fastcut, or "module:attribute" of your own
# preset = "tiny"           # tiny, base, paper
# size = 64                 # side of the canvas in pixels
# steps = 700
# threads = 1               # part of the settings: their number can change the last bit

[plan]
# strategy = "equalise"     # preserve, equalise, effective, targets
# multiple = 1.0            # threats to add as a multiple of those there are (preserve, effective)
# max_signature_reuse = 20

[compose]
# placement = "spread"      # spread, match (where real threats lay), clutter (by [compose.difficulty])
# scaling = "dataset"       # as large as the class's real threats; pitch, own

[output]
# layers = false            # the bag alone and each threat alone beside every composite
# formats = []              # further formats beside COCO

[uplift]
# arms = ["real_only", "transformation", "synthesis", "synthesis_transformation"]
# seeds = 5
"""
