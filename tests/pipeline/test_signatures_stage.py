"""Signatures and emptied bags out of a small labelled dataset."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from threatray.core import DUAL_ENERGY, Annotations, Provenance, Quantity, Sample, XrayImage
from threatray.core.files import write_json
from threatray.core.image_file import read_pixels
from threatray.datasets.formats.coco import image_record, write_annotations, write_images
from threatray.datasets.formats.registry import read_dataset
from threatray.pipeline.progress import Progress
from threatray.pipeline.sources import Role, Taxonomy
from threatray.pipeline.stage import Run
from threatray.pipeline.stages.signatures_stage import SignaturesConfig, signatures
from threatray.tip.compose import project
from threatray.tip.library import SignatureLibrary
from threatray.tip.remove import Fill

RUN = Run(progress=Progress(quiet=True), workers=1)


def labelled(folder: Path) -> tuple[Path, Path]:
    """Two scans with two bars each, one of the second scan's too faint to isolate; and a split with both in training."""
    rng = np.random.default_rng(0)
    records = []
    for name, faint in (("s1", 1.0), ("s2", 0.02)):
        attenuation = np.full((2, 110, 150), 0.4, np.float32) + rng.normal(0, 0.005, (2, 110, 150)).astype(np.float32)
        attenuation[:, :8], attenuation[:, -8:], attenuation[:, :, :8], attenuation[:, :, -8:] = 0, 0, 0, 0
        masks = np.zeros((2, 110, 150), bool)
        masks[0, 30:48, 20:65] = True
        masks[1, 60:78, 85:130] = True
        attenuation[:, masks[0]] += 1.0
        attenuation[:, masks[1]] += faint
        image = XrayImage(np.exp(-np.maximum(attenuation, 0)).astype(np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
        boxes = np.array([[20, 30, 65, 48], [85, 60, 130, 78]], np.float32)
        sample = Sample(name, image, Annotations(boxes, ("gun", "gun"), masks), name, Provenance("lab", "CC0-1.0"))
        records.append(image_record(sample, write_images(folder / "data", name, colour=None, dual=image)))
    write_annotations(folder / "data", ("gun",), records)
    empty = {"threats": [], "benign": []}
    parts = {"train": {"threats": ["labelled:s1", "labelled:s2"], "benign": []}, "validation": empty, "test": empty}
    write_json(folder / "split/split.json", {"parts": parts})
    return folder / "data", folder / "split"


@pytest.mark.parametrize("fill", list(Fill))
def test_scans_whose_threats_all_came_out_are_written_without_them(tmp_path: Path, fill: Fill) -> None:
    data, split = labelled(tmp_path)
    manifest = signatures(SignaturesConfig(remove=True, fill=fill), Taxonomy(), {Role.LABELLED: data}, split, tmp_path / "out", RUN)
    assert {key: manifest.summary[key] for key in ("signatures", "refused", "benign")} == {
        "signatures": {"gun": 3},
        "refused": 1,
        "benign": 1,
    }
    bags = read_dataset(tmp_path / "out/benign")
    assert [(entry.id, entry.is_benign, entry.group) for entry in bags.entries] == [("s1-emptied", True, "s1")]
    assert bags.entries[0].provenance == Provenance(f"lab, threats removed ({fill.value} fill)", "CC0-1.0")
    assert read_pixels(tmp_path / "out/benign/images/s1-emptied_low.png").dtype == np.uint16
    bag = bags.load_dual_energy(bags.entries[0]).image
    assert bag.attenuation().values[:, 30:78, 20:130].mean() == pytest.approx(0.4, abs=0.02)
    (note,) = json.loads((tmp_path / "out/benign/removed.json").read_text())
    assert (note["scan"], note["fill"], [each["signature"] for each in note["threats"]]) == ("labelled:s1", fill.value, ["s1-0", "s1-1"])
    if fill is Fill.REVERSIBLE:
        library = SignatureLibrary.open(tmp_path / "out")
        for each in note["threats"]:
            bag = project(bag, library.load(each["signature"]), int(each["box"][0]), int(each["box"][1]))
        source = read_dataset(data)
        scan = source.load_dual_energy(source.entries[0]).image
        assert np.abs(bag.values - scan.values).max() <= 2.5 / 65535  # the bag's, the signature's and the scan's rounding


def test_without_being_asked_no_bag_is_written(tmp_path: Path) -> None:
    data, split = labelled(tmp_path)
    manifest = signatures(SignaturesConfig(), Taxonomy(), {Role.LABELLED: data}, split, tmp_path / "out", RUN)
    assert "benign" not in manifest.summary
    assert not (tmp_path / "out/benign").exists()
