"""Detectors that learn: the training loop of torchvision's models, and one small enough for a CPU. Nothing is ever downloaded."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import MultiScaleRoIAlign

from threatray.core import derive, stream
from threatray.errors import ConfigError, DataError
from threatray.metrics.efficientnet_lite import load_efficientnet_lite0
from threatray.uplift.backbone import LitePyramid, TinyPyramid
from threatray.uplift.config import Backbone, FasterRcnnConfig, LargeDetectorConfig
from threatray.uplift.images import ImagePool, TrainingImage
from threatray.uplift.predictions import Detections
from threatray.uplift.protocol import Batches, OnStep
from threatray.uplift.windows import RandomWindow


@contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """Seed torch's global generator (torchvision's samplers know no other) and give it back as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        yield


class AsGiven(GeneralizedRCNNTransform):  # type: ignore[misc]
    """Normalises and batches, but does not resize: the detector has brought pictures to size already."""

    def resize(self, image: Tensor, target: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor] | None]:
        """As they are."""
        return image, target


_AIR: Final = (1.0, 1.0, 1.0)
"""Subtracted from each picture, so that white air is 0, like the padding of a batch."""
_SPREAD: Final = (0.3, 0.3, 0.3)
_PREDICT_BATCH: Final = 8
_ROI_CELLS: Final = 5


def _network(config: FasterRcnnConfig, classes: int) -> FasterRCNN:
    backbone: nn.Module
    if config.backbone is Backbone.TINY:
        backbone = TinyPyramid(config.stage_channels, config.stage_depths, config.pyramid_channels)
    else:
        pretrained = load_efficientnet_lite0(config.backbone_weights)
        backbone = LitePyramid(pretrained, config.frozen_blocks, config.pyramid_channels, _SPREAD[0])
    names = ["0", "1", "2"]
    width = 256
    network = FasterRCNN(
        backbone,
        rpn_anchor_generator=AnchorGenerator(config.anchor_sizes, (config.anchor_ratios,) * 3),
        box_roi_pool=MultiScaleRoIAlign(names, output_size=_ROI_CELLS, sampling_ratio=1, canonical_scale=96, canonical_level=4),
        box_head=TwoMLPHead(config.pyramid_channels * _ROI_CELLS**2, width),
        box_predictor=FastRCNNPredictor(width, classes + 1),
        rpn_pre_nms_top_n_train=300,
        rpn_pre_nms_top_n_test=300,
        rpn_post_nms_top_n_train=150,
        rpn_post_nms_top_n_test=60,
        rpn_batch_size_per_image=config.proposals_trained,
        box_batch_size_per_image=config.proposals_trained,
        box_score_thresh=config.score_floor,
        box_detections_per_img=config.detections_kept,
    )
    network.transform = AsGiven(config.image_size, 16 * config.image_size, list(_AIR), list(_SPREAD), size_divisible=32)
    return network


LearningSettings = FasterRcnnConfig | LargeDetectorConfig
"""What the training loop needs to know; both have it."""


class TorchvisionDetector:
    """Trains any of torchvision's detectors; deterministic on a CPU for a given seed and number of threads.

    Args:
        config: How it learns.
        classes: Class names it can tell apart.
        seed: Of weights and samplers.
        make: Builds the untrained network for a number of classes; called with torch's generator seeded.

    Raises:
        ConfigError: No class, or one twice.
    """

    def __init__(self, config: LearningSettings, classes: tuple[str, ...], seed: int, make: Callable[[int], nn.Module]) -> None:
        if not classes or len(set(classes)) != len(classes):
            raise ConfigError(f"detector: classes must be one or more different names, got {classes}.")
        self.config = config
        self.classes = classes
        self._seed = seed
        with _own_randomness(derive(seed, "weights")):
            self.network: nn.Module = make(len(classes)).to(memory_format=torch.channels_last)

    def fit(self, batches: Batches, on_step: OnStep | None = None) -> None:
        """Train on exactly these batches, once through.

        Raises:
            DataError: A label that is not one of the classes, or a loss that is not finite.
        """
        config, network, steps = self.config, self.network, len(batches)
        optimiser = torch.optim.AdamW(self._groups(), lr=config.learning_rate, weight_decay=config.weight_decay, foreach=True)
        warmup = max(1, round(config.warmup_share * steps))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, warmup, steps))
        mean = copy.deepcopy(network)
        network.train()
        with _own_randomness(derive(self._seed, "samplers")):
            for step, batch in enumerate(batches, start=1):
                sized = [_at_size(image, config.image_size) for image in batch]
                if config.window:
                    rng = stream(self._seed, "windows", step)
                    cutter = RandomWindow(config.window)
                    sized = [cutter.apply(image, cutter.draw(image, rng)) for image in sized]
                loss = torch.stack(list(network(_pictures(sized), self._targets(sized)).values())).sum()
                if not torch.isfinite(loss):
                    raise DataError(
                        f"detector: the loss at step {step} is {float(loss.detach())}; lower learning_rate ({config.learning_rate})."
                    )
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm)
                optimiser.step()
                schedule.step()
                # The decay grows from 0, so that the mean forgets the random start.
                _follow(mean, network, min(config.ema_decay, step / (step + 10)) if config.ema_decay else 0.0)
                if on_step is not None:
                    on_step(step, float(loss.detach()))
        self.network = mean

    def predict(self, images: ImagePool) -> tuple[Detections, ...]:
        """What is found in each picture, in order."""
        self.network.eval()
        found: list[Detections] = []
        with torch.inference_mode():
            for start in range(0, len(images), _PREDICT_BATCH):
                batch = [images[index] for index in range(start, min(start + _PREDICT_BATCH, len(images)))]
                sized = [_at_size(image, self.config.image_size) for image in batch]
                for image, answer in zip(batch, self.network(_pictures(sized)), strict=True):
                    scale = _scale_of(image, self.config.image_size)
                    names = tuple(self.classes[index - 1] for index in answer["labels"].tolist())
                    found.append(Detections.of(answer["boxes"].numpy() / scale, answer["scores"].numpy(), names))
        return tuple(found)

    def _groups(self) -> list[dict[str, Any]]:
        """A pretrained backbone learns more slowly than what is fresh above it."""
        config = self.config
        learning = [one for one in self.network.named_parameters() if one[1].requires_grad]
        if not isinstance(config, FasterRcnnConfig) or config.backbone is Backbone.TINY:
            return [{"params": [weights for _, weights in learning]}]
        body = [weights for name, weights in learning if name.startswith("backbone.body.")]
        fresh = [weights for name, weights in learning if not name.startswith("backbone.body.")]
        return [{"params": fresh}, {"params": body, "lr": config.backbone_rate * config.learning_rate}]

    def _targets(self, batch: Sequence[TrainingImage]) -> list[dict[str, Tensor]]:
        targets = []
        for image in batch:
            if unknown := sorted(set(image.labels) - set(self.classes)):
                raise DataError(f"image {image.id!r}: label {unknown[0]!r} is none of the classes {', '.join(self.classes)}.")
            labels = torch.tensor([self.classes.index(label) + 1 for label in image.labels], dtype=torch.int64)
            targets.append({"boxes": torch.from_numpy(image.boxes), "labels": labels})
        return targets


class TinyFasterRcnn(TorchvisionDetector):
    """Faster R-CNN on `TinyPyramid`.

    Args:
        config: Settings.
        classes: Class names it can tell apart.
        seed: Of weights and samplers.

    Raises:
        ConfigError: No class, or one twice.
    """

    def __init__(self, config: FasterRcnnConfig, classes: tuple[str, ...], seed: int) -> None:
        super().__init__(config, classes, seed, lambda count: _network(config, count))


def _pictures(batch: Sequence[TrainingImage]) -> list[Tensor]:
    return [torch.from_numpy(image.pixels).float() / 255 for image in batch]


def _at_size(image: TrainingImage, short_side: int) -> TrainingImage:
    """Brought to the short side, boxes too."""
    scale = _scale_of(image, short_side)
    if scale == 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    pixels = np.ascontiguousarray(image.pixels.transpose(1, 2, 0))
    resized = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8)
    limit = np.array([size[0], size[1]] * 2, np.float32)  # a rounded side may be half a pixel short of a scaled box
    boxes = np.minimum(image.boxes * np.float32(scale), limit).astype(np.float32)
    return replace(image, pixels=np.ascontiguousarray(resized.transpose(2, 0, 1)), boxes=boxes)


def _scale_of(image: TrainingImage, short_side: int) -> float:
    return short_side / min(image.height, image.width)


def _rate(step: int, warmup: int, steps: int) -> float:
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _follow(mean: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the running mean of the weights, and of batch norm's statistics, a step towards the network's."""
    pairs = list(zip(mean.state_dict().values(), network.state_dict().values(), strict=True))
    kept, new = zip(*(pair for pair in pairs if pair[0].is_floating_point()), strict=True)
    get_ema_multi_avg_fn(decay)(kept, new, None)  # type: ignore[no-untyped-call]
