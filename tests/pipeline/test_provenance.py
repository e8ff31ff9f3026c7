"""Source and licence of every picture, from the user's datasets into each composite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from threatray.balance.plan import PlanConfig
from threatray.balance.quota import Strategy
from threatray.core import Provenance
from threatray.datasets.formats import read_dataset
from threatray.datasets.taxonomy import Taxonomy
from threatray.phantom.dataset import PhantomConfig
from threatray.pipeline.progress import Progress
from threatray.pipeline.sources import Role
from threatray.pipeline.stage import Run
from threatray.pipeline.stages.compose_stage import compose
from threatray.pipeline.stages.phantom_stage import phantom
from threatray.pipeline.stages.plan_stage import plan
from threatray.pipeline.stages.signatures_stage import SignaturesConfig, signatures
from threatray.pipeline.stages.split_stage import SplitConfig, split
from threatray.tip.draw import ComposeConfig

RUN = Run(seed=3, progress=Progress(quiet=True), workers=1)


def test_a_joined_provenance_names_everything_once_and_keeps_the_unknown_visible() -> None:
    bag, threat = Provenance("bags", "CC0-1.0"), Provenance("guns", "CC-BY-4.0")
    assert bag.joined(threat, threat, bag) == Provenance("bags + guns", "CC0-1.0 + CC-BY-4.0")
    assert bag.joined(Provenance()) == Provenance("bags + unknown", "CC0-1.0 + unknown")
    assert bag.joined(threat).joined(bag.joined(threat)) == bag.joined(threat)
    assert bag.joined() == bag


@pytest.mark.slow
def test_a_composite_names_source_and_licence_of_its_bag_and_of_every_threat(tmp_path: Path) -> None:
    small = PhantomConfig(
        labelled={"gun": 6}, benign=6, validation_threat_per_class=1, validation_benign=1, test_threat_per_class=1, test_benign=1,
        photos_per_class=1,
    )  # fmt: skip
    phantom(small, tmp_path / "made", RUN)
    paths = {Role.LABELLED: tmp_path / "scans", Role.BENIGN: tmp_path / "bags"}
    for folder, role, terms in (("scans", Role.LABELLED, ("lab A", "CC-BY-4.0")), ("benign", Role.BENIGN, ("lab B", "CC0-1.0"))):
        (tmp_path / "made" / folder).rename(paths[role])
        document = json.loads((paths[role] / "annotations.json").read_text())
        for image in document["images"]:
            image["source"], image["licence"] = terms
        (paths[role] / "annotations.json").write_text(json.dumps(document))
    everything = Taxonomy()
    split(SplitConfig(), everything, paths, tmp_path / "split", RUN)
    signatures(SignaturesConfig(min_quality=0.0), everything, paths, tmp_path / "split", tmp_path / "signatures", RUN)
    chosen = PlanConfig(Strategy.PRESERVE, multiple=1.0)
    library = tmp_path / "signatures"
    plan(chosen, everything, paths, tmp_path / "split", library, library, tmp_path / "plan", RUN)
    compose(ComposeConfig(), everything, paths, tmp_path / "plan", library, library, tmp_path / "composites", RUN)
    made = read_dataset(tmp_path / "composites")
    assert made.entries
    assert {entry.provenance for entry in made.entries} == {Provenance("lab B + lab A", "CC0-1.0 + CC-BY-4.0")}
