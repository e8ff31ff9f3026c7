from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from threatray.errors import ConfigError, DataError
from threatray.uplift.config import Architecture, LargeDetectorConfig
from threatray.uplift.images import MemoryPool, TrainingImage
from threatray.uplift.large import large_detector, load_what_fits


def pool() -> MemoryPool:
    box = np.array([[20, 20, 60, 50]], np.float32)
    pixels = np.full((3, 72, 80), 255, np.uint8)
    pixels[:, 20:50, 20:60] = 30
    return MemoryPool((TrainingImage(pixels, box, ("gun",), "bag", synthetic=False, id="a"),))


@pytest.mark.slow
@pytest.mark.parametrize("architecture", [Architecture.FASTER_RCNN_MOBILENET, Architecture.RETINANET_RESNET50, Architecture.FCOS_RESNET50])
def test_each_architecture_learns_a_step_and_predicts(architecture: Architecture) -> None:
    config = LargeDetectorConfig(architecture, steps=1, batch_size=1, image_size=72)
    detector = large_detector(config, ("gun", "knife"), seed=0)
    losses: list[float] = []
    detector.fit([[pool()[0]]], lambda step, loss: losses.append(loss))
    assert np.isfinite(losses).all()
    (found,) = detector.predict(pool())
    assert set(found.labels) <= {"gun", "knife"}
    assert all(0 <= x0 <= x1 <= 80 for x0, _, x1, _ in found.boxes)


def test_what_fits_is_loaded_and_other_shapes_start_fresh(tmp_path: Path) -> None:
    saved, own = (
        nn.ModuleDict({"body": nn.Linear(3, 3), "head": nn.Linear(3, 91)}),
        nn.ModuleDict({"body": nn.Linear(3, 3), "head": nn.Linear(3, 4)}),
    )
    torch.save(saved.state_dict(), tmp_path / "coco.pt")
    before = own["head"].weight.clone()
    assert load_what_fits(own, tmp_path / "coco.pt") == 2
    assert torch.equal(own["body"].weight, saved["body"].weight)
    assert torch.equal(own["head"].weight, before)


def test_files_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.pt").write_bytes(b"not a checkpoint")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save(nn.Linear(7, 7).state_dict(), tmp_path / "other.pt")
    for name, message in (
        ("none.pt", "no such file"),
        ("broken.pt", "cannot|not a state dict"),
        ("list.pt", "got list"),
        ("other.pt", "none of its 2"),
    ):
        with pytest.raises(DataError, match=message):
            load_what_fits(nn.Linear(3, 3), tmp_path / name)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="steps must be above 0, got 0"):
        LargeDetectorConfig(steps=0)
    with pytest.raises(ConfigError, match="window 0 or at least 48"):
        LargeDetectorConfig(window=20)
