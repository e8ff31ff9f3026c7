"""The control arms paste the same photo at the same place under the same labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from threatray.core import (
    COLOUR,
    Annotations,
    Origin,
    OriginKind,
    Quantity,
    Sample,
    Signature,
    XrayImage,
)
from threatray.core.image_file import read_pixels, write_png
from threatray.datasets.formats.coco import image_record, write_annotations, write_images
from threatray.datasets.formats.registry import read_dataset
from threatray.errors import DataError
from threatray.photos.crop import ObjectCrop
from threatray.photos.library import write_crop
from threatray.photos.library import write_index as write_crop_index
from threatray.pipeline.progress import Progress
from threatray.pipeline.sources import Role, Taxonomy
from threatray.pipeline.stage import Run
from threatray.pipeline.stages.control_stage import ControlConfig, control
from threatray.tip.compose import CompositeParams, Insertion
from threatray.tip.controls import ControlArm
from threatray.tip.library import write_index, write_signature
from threatray.tip.vary import VariationParams

X, Y = 11, 6
RUN = Run(seed=3, progress=Progress(quiet=True))


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """One bag, one photo with its translation, one composite of the two."""
    rng = np.random.default_rng(0)
    write_png(tmp_path / "bags" / "b.png", rng.integers(90, 255, (37, 31, 3), dtype=np.uint8))
    mask = np.zeros((9, 7), np.bool_)
    mask[1:8, 1:6] = True
    crop = ObjectCrop("gun-1", "gun", rng.integers(1, 255, (9, 7, 3), dtype=np.uint8), mask, "gun/1.jpg")
    write_crop(tmp_path / "photos", crop)
    write_crop_index(tmp_path / "photos", [crop])
    values = np.where(mask, np.float32(0.5), np.float32(1.0))[None].repeat(3, axis=0)
    image = XrayImage(values, Quantity.TRANSMISSION, COLOUR)
    signature = Signature("gun-1", image, mask, "gun", Origin(OriginKind.TRANSLATED, "gun/1.jpg", "gun/1.jpg"))
    write_index(tmp_path / "library", [write_signature(tmp_path / "library", signature)])
    whole = np.zeros((1, 37, 31), np.bool_)
    whole[0, Y : Y + 7, X : X + 5] = True
    things = Annotations(np.array([[X, Y, X + 5, Y + 7]], np.float32), ("gun",), whole)
    picture = XrayImage(np.ones((3, 37, 31), np.float32), Quantity.PSEUDO_COLOUR, COLOUR)
    files = write_images(tmp_path / "composites", "composite-000000", colour=picture, dual=None)
    write_annotations(tmp_path / "composites", ["gun"], [image_record(Sample("composite-000000", picture, things, "benign:b"), files)])
    params = CompositeParams("benign:b", (Insertion("gun-1", VariationParams(), X, Y),))
    (tmp_path / "composites" / "composites.jsonl").write_text(json.dumps({"id": "composite-000000", **params.as_json()}) + "\n")
    return tmp_path


def make(folder: Path, config: ControlConfig, out: str) -> Path:
    paths = {Role.BENIGN: folder / "bags"}
    control(config, Taxonomy(("gun",)), paths, folder / "composites", folder / "photos", folder / "library", folder / out, RUN)
    return folder / out


def test_the_photo_covers_the_bag_inside_its_mask_and_nothing_else(made: Path) -> None:
    out = make(made, ControlConfig(ControlArm.OPAQUE_PASTE), "opaque")
    pasted, bag = read_pixels(out / "images" / "composite-000000.png"), read_pixels(made / "bags" / "b.png")
    photo = read_pixels(made / "photos" / "gun" / "gun-1.png")
    expected = bag.copy()
    expected[Y : Y + 7, X : X + 5] = photo[1:8, 1:6]
    assert (pasted == expected).all()


def test_a_mixture_is_the_weighted_mean(made: Path) -> None:
    out = make(made, ControlConfig(ControlArm.ALPHA_BLEND, alpha=0.25), "alpha")
    pasted, bag = read_pixels(out / "images" / "composite-000000.png"), read_pixels(made / "bags" / "b.png")
    photo = read_pixels(made / "photos" / "gun" / "gun-1.png")
    expected = 0.75 * bag[Y : Y + 7, X : X + 5].astype(float) + 0.25 * photo[1:8, 1:6]
    assert np.abs(pasted[Y : Y + 7, X : X + 5] - expected).max() <= 0.51


def test_boxes_masks_labels_and_groups_are_those_of_the_composite(made: Path) -> None:
    out = make(made, ControlConfig(), "opaque")
    (ours,), (theirs,) = read_dataset(out).entries, read_dataset(made / "composites").entries
    assert (ours.id, ours.group, ours.labels) == (theirs.id, theirs.group, theirs.labels)
    assert (ours.boxes == theirs.boxes).all()
    our_masks, their_masks = ours.annotations().masks, theirs.annotations().masks
    assert our_masks is not None
    assert their_masks is not None
    assert (our_masks == their_masks).all()


def test_a_composite_of_something_that_is_no_photo_is_refused(made: Path) -> None:
    text = (made / "composites" / "composites.jsonl").read_text()
    (made / "composites" / "composites.jsonl").write_text(text.replace("gun-1", "scan-7"))
    with pytest.raises(DataError, match=r"'scan-7' is no photo of .*photos\. Control arms paste the photos of translated signatures\."):
        make(made, ControlConfig(), "opaque")
