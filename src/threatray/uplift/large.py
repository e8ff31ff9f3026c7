"""torchvision's full-size detectors, for machines that can train them: weights from disk or none, never from the network."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn
from torchvision.models import detection

from threatray.errors import DataError
from threatray.uplift.config import Architecture, LargeDetectorConfig
from threatray.uplift.detector import AsGiven, TorchvisionDetector

_BUILDERS: Final[dict[Architecture, Any]] = {
    Architecture.FASTER_RCNN_RESNET50: detection.fasterrcnn_resnet50_fpn,
    Architecture.FASTER_RCNN_MOBILENET: detection.fasterrcnn_mobilenet_v3_large_fpn,
    Architecture.RETINANET_RESNET50: detection.retinanet_resnet50_fpn,
    Architecture.FCOS_RESNET50: detection.fcos_resnet50_fpn,
}
_MEAN: Final = (0.485, 0.456, 0.406)
_STD: Final = (0.229, 0.224, 0.225)
"""Of ImageNet: what published weights expect."""


def large_detector(config: LargeDetectorConfig, classes: tuple[str, ...], seed: int) -> TorchvisionDetector:
    """A full-size detector with fresh heads, and the rest from files where they are given.

    Raises:
        ConfigError: No class, or one twice.
        DataError: A file of weights is missing, is none, or fits no layer.
    """

    def make(count: int) -> nn.Module:
        network: nn.Module = _BUILDERS[config.architecture](weights=None, weights_backbone=None, num_classes=count + 1)
        network.transform = AsGiven(config.image_size, 16 * config.image_size, list(_MEAN), list(_STD), size_divisible=32)
        if config.backbone_weights is not None:
            load_what_fits(network.get_submodule("backbone.body"), config.backbone_weights)
        if config.weights is not None:
            load_what_fits(network, config.weights)
        return network

    return TorchvisionDetector(config, classes, seed, make)


def load_what_fits(module: nn.Module, path: Path) -> int:
    """Load the tensors of a state dict whose names and shapes are the module's; heads for other classes stay as they are.

    Returns:
        How many tensors were loaded.

    Raises:
        DataError: No file, no state dict of tensors, or nothing in it fits.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file of weights. Give another one, or none to train from scratch.") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise DataError(f"{path}: not a state dict that can be read safely ({type(error).__name__}).") from None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise DataError(f"{path}: expected a state dict of tensors, got {type(state).__name__}.")
    own = module.state_dict()
    fitting = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
    if not fitting:
        raise DataError(f"{path}: none of its {len(state)} tensors fits this detector. Choose the architecture that it was saved from.")
    module.load_state_dict(fitting, strict=False)
    return len(fitting)
