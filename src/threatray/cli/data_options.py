"""The datasets, as options of a subcommand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.datasets.taxonomy import Taxonomy, Vocabulary, read_id_list
from threatray.pipeline.sources import Role


@Parameter(name="*")
@dataclass(frozen=True)
class DataOptions:
    """The datasets and what their labels mean.

    Args:
        labelled: Labelled scans with threats (COCO or VOC).
        benign: Bags without threats: a folder of images, or a dataset.
        validation: A validation set of its own.
        test: A test set of its own.
        classes: The threat classes; all that occur if not given.
        aliases: Another name for a class, as ``--aliases.handgun gun``.
        taxonomy_file: A taxonomy file instead of the shipped one.
        white_level: Count of empty air in 16-bit and grey scans whose dataset does not say; each scan's own air tells if not given.
        mislabelled: A text file with the ids of images that pass for benign but hold a threat, one a line; they are set aside.
    """

    labelled: Path | None = None
    benign: Path | None = None
    validation: Path | None = None
    test: Path | None = None
    classes: tuple[str, ...] = ()
    aliases: dict[str, str] = field(default_factory=dict)
    taxonomy_file: Annotated[Path | None, Parameter(name="--taxonomy")] = None
    white_level: int | None = None
    mislabelled: Path | None = None

    @property
    def taxonomy(self) -> Taxonomy:
        """What labels mean: classes, aliases and the taxonomy file."""
        words = Vocabulary.read(self.taxonomy_file) if self.taxonomy_file is not None else None
        mislabelled = read_id_list(self.mislabelled) if self.mislabelled is not None else ()
        return Taxonomy(tuple(self.classes), dict(self.aliases), words, self.white_level, mislabelled)

    @property
    def datasets(self) -> dict[Role, Path]:
        """Role -> folder, of those that are given."""
        given = {Role.LABELLED: self.labelled, Role.BENIGN: self.benign, Role.VALIDATION: self.validation, Role.TEST: self.test}
        return {role: path for role, path in given.items() if path is not None}
