from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from threatray.errors import ConfigError, DataError
from threatray.metrics.efficientnet_lite import EfficientNetLite0
from threatray.uplift.arms import STANDARD_ARMS, Pool
from threatray.uplift.average_precision import IOU_50, Matches
from threatray.uplift.backbone import LitePyramid
from threatray.uplift.config import Backbone, FasterRcnnConfig
from threatray.uplift.experiment import run_job
from threatray.uplift.images import MemoryPool
from threatray.uplift.sampling import BatchStream

CLASSES = ("gun", "knife")
SMALL = FasterRcnnConfig(steps=3, batch_size=2, image_size=64, window=0, stage_channels=(4, 8, 8, 8, 8), pyramid_channels=8)
MakePool = Callable[..., MemoryPool]


def batches(make_pool: MakePool, config: FasterRcnnConfig, arm: str = "real_only") -> BatchStream:
    pools = {Pool.REAL: make_pool("real", 16, 0), Pool.BENIGN: make_pool("benign", 0, 8)}
    return BatchStream(STANDARD_ARMS[arm], pools, config.steps, config.batch_size, seed=0)


def test_equal_seeds_give_equal_detectors_and_others_do_not(make_pool: MakePool) -> None:
    def weights(seed: int) -> torch.Tensor:
        detector = SMALL.build(CLASSES, seed)
        detector.fit(batches(make_pool, SMALL, "transformation"))
        return torch.cat([value.flatten() for value in detector.network.state_dict().values()])

    first = weights(0)
    assert torch.equal(first, weights(0))
    assert not torch.equal(first, weights(1))


def test_the_global_random_state_is_left_alone(make_pool: MakePool) -> None:
    torch.manual_seed(5)
    numpy_before, before = np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    detector = SMALL.build(CLASSES, 0)
    detector.fit(batches(make_pool, SMALL))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.random.get_state()[1].tolist() == numpy_before  # noqa: NPY002


def test_the_result_does_not_depend_on_the_global_random_state(make_pool: MakePool) -> None:
    found = []
    for state in (1, 2):
        torch.manual_seed(state)
        detector = SMALL.build(CLASSES, 0)
        detector.fit(batches(make_pool, SMALL))
        found.append(detector.predict(make_pool("test", 2, 0)))
    assert found[0] == found[1]


def test_it_learns_to_find_and_name_things(make_pool: MakePool) -> None:
    config = FasterRcnnConfig(
        steps=70,
        image_size=64,
        window=48,
        stage_channels=(8, 16, 32, 32, 32),
        anchor_sizes=((12.0, 20.0), (24.0, 32.0), (40.0, 48.0)),
    )
    pools = {Pool.REAL: make_pool("real", 30, 0), Pool.BENIGN: make_pool("benign", 0, 10)}
    result = run_job(
        STANDARD_ARMS["real_only"], 0, pools, make_pool("validation", 4, 4), make_pool("test", 20, 20), config, classes=CLASSES
    )
    found = Matches.of(result.test, CLASSES, IOU_50).average_precision(np.arange(40), np.ones((1, 40)))
    assert found.mean() > 0.7
    assert result.losses[-1] < result.losses[3]


def test_boxes_are_in_the_pictures_own_pixels_whatever_the_detector_works_at(make_picture: Callable[..., Any]) -> None:
    config = FasterRcnnConfig(**(SMALL.__dict__ | {"score_floor": 0.0, "image_size": 64}))
    detector = config.build(CLASSES, 0)
    large = make_picture("a", size=(128, 192))
    corners = np.array(detector.predict(MemoryPool((large,)))[0].boxes)
    assert corners[:, [0, 2]].max() > 96
    assert corners[:, [0, 2]].max() <= 192
    assert corners[:, [1, 3]].max() <= 128


def test_refuses_a_label_it_was_not_told_of(make_pool: MakePool) -> None:
    with pytest.raises(DataError, match="label 'knife' is none of the classes gun"):
        SMALL.build(("gun",), 0).fit(batches(make_pool, SMALL))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size must be above 0, got 0"),
        ({"image_size": 32}, "image_size must be at least 64 pixels, got 32"),
        ({"ema_decay": 1.0}, r"ema_decay must lie in \[0, 1\), got 1.0"),
        ({"stage_channels": (1, 2)}, "must be five numbers each"),
        ({"anchor_sizes": ((8.0,), (16.0,))}, "anchor_sizes must be three lists of equal length"),
        ({"weight_decay": -1.0}, "weight_decay must not be negative"),
        ({"window": 32}, "window must be 0 or at least 48"),
    ],
)
def test_refuses_settings_that_make_no_sense(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FasterRcnnConfig(**changes)


def test_refuses_classes_that_repeat() -> None:
    with pytest.raises(ConfigError, match="one or more different names"):
        SMALL.build(("gun", "gun"), 0)


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> FasterRcnnConfig:
    """On a pretrained backbone whose weights are random, from a file: no package is needed."""
    path = tmp_path_factory.mktemp("weights") / "lite0.pth"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(EfficientNetLite0().state_dict(), path)
    return FasterRcnnConfig(
        steps=2, batch_size=2, image_size=64, window=0, backbone=Backbone.EFFICIENTNET_LITE0, backbone_weights=path, pyramid_channels=8
    )


def test_a_pretrained_backbone_keeps_its_statistics_and_its_frozen_blocks(make_pool: MakePool, lite: FasterRcnnConfig) -> None:
    detector = lite.build(CLASSES, 0)
    before = {name: value.clone() for name, value in detector.network.state_dict().items()}
    detector.fit(batches(make_pool, lite))
    moved = {name for name, value in detector.network.state_dict().items() if not torch.equal(value, before[name])}
    assert not [name for name in moved if "body" in name and "running" in name]
    assert not [
        name for name in moved if "_conv_stem" in name or any(f"body._blocks.{block}." in name for block in range(lite.frozen_blocks))
    ]
    assert [name for name in moved if f"body._blocks.{lite.frozen_blocks}." in name]
    assert [name for name in moved if "backbone.pyramid" in name]


def test_a_pretrained_detector_is_the_same_for_the_same_seed(make_pool: MakePool, lite: FasterRcnnConfig) -> None:
    found = []
    for _ in range(2):
        detector = lite.build(CLASSES, 3)
        detector.fit(batches(make_pool, lite))
        found.append(torch.cat([value.flatten() for value in detector.network.state_dict().values()]))
    assert torch.equal(*found)


def test_the_body_sees_white_air_as_one_and_black_as_minus_one() -> None:
    seen = []

    class Watched(EfficientNetLite0):
        def levels(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            seen.append(x)
            return super().levels(x)

    pyramid = LitePyramid(Watched(), 3, 8, 0.3)
    pyramid(torch.tensor([0.0, -1 / 0.3]).reshape(2, 1, 1, 1).expand(2, 3, 64, 64))
    assert seen[0][:, 0, 0, 0].tolist() == pytest.approx([1.0, -1.0], abs=1e-6)


def test_files_of_weights_are_named_without_their_folder(lite: FasterRcnnConfig) -> None:
    plain = lite.as_json()
    assert (plain["detector"], plain["backbone"], plain["backbone_weights"]) == (
        "faster_rcnn_efficientnet_lite0",
        "efficientnet_lite0",
        "lite0.pth",
    )
    assert FasterRcnnConfig().as_json()["detector"] == "faster_rcnn_tiny"


def test_refuses_weights_for_the_tiny_backbone_and_blocks_that_are_not_there(lite: FasterRcnnConfig) -> None:
    with pytest.raises(ConfigError, match="backbone_weights are for the pretrained backbone"):
        FasterRcnnConfig(backbone_weights=lite.backbone_weights)
    with pytest.raises(ConfigError, match=r"frozen_blocks must lie in \[0, 15\]"):
        FasterRcnnConfig(frozen_blocks=16)
