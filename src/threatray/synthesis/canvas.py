"""Photos and signatures on the square canvas that networks see; importable without torch."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import BoolArray, FloatArray, Signature
from threatray.errors import DataError
from threatray.synthesis.encoding import Encoding
from threatray.synthesis.framing import Frame, Pose

PHOTO_CHANNELS: Final = ("red", "green", "blue")


def photo_tensor(pixels: NDArray[Any], mask: BoolArray, size: int, *, pose: Pose = Pose.UPRIGHT) -> FloatArray:
    """A photo crop on a white square canvas.

    Args:
        pixels: (H, W, 3) uint8 RGB, or (H, W) uint8 grey, which is repeated.
        mask: (H, W) bool, the object.
        size: Side of the canvas in pixels, a multiple of 4.
        pose: Whether to turn the object upright.

    Returns:
        (4, size, size) float32: RGB in [-1, 1], exactly 1 (white) where the object is not, then the covered share in [0, 1].

    Raises:
        DataError: Shapes or dtypes are wrong, or the mask is empty.

    Example:
        >>> mask = np.zeros((30, 50), bool); mask[5:25, 5:45] = True
        >>> tensor = photo_tensor(np.zeros((30, 50, 3), np.uint8), mask, 32)
        >>> tensor.shape, tensor[0, 16, 16].item(), tensor[0, 0, 0].item()
        ((4, 32, 32), -1.0, 1.0)
    """
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise DataError(f"photo: expected uint8 pixels of shape (H, W, 3) or (H, W), got {pixels.dtype} {pixels.shape}.")
    if pixels.shape[:2] != mask.shape:
        raise DataError(f"photo: pixels are {pixels.shape[:2]} but the mask is {mask.shape}.")
    colour = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    clean = np.where(mask[..., None], colour.astype(np.float32) / 127.5 - 1.0, np.float32(1.0))
    return _on_canvas(clean, mask, Frame.of(mask, size, pose=pose))


def signature_tensor(signature: Signature, size: int, *, encoding: Encoding | None = None, pose: Pose = Pose.UPRIGHT) -> FloatArray:
    """A signature on a square canvas of air.

    Pixels are encoded first and averaged afterwards, so that an edge pixel is exactly the covered share of the object and the rest of air,
    which is how generators put objects on air. Averaging transmissions instead would teach them a bright rim around dense things.

    Args:
        signature: Any channels.
        size: Side of the canvas in pixels, a multiple of 4.
        encoding: How transmissions are written; the default ``Encoding()`` if None.
        pose: Whether to turn the object upright.

    Returns:
        (C + 1, size, size) float32: encoded transmission in [-1, 1], exactly 1 (air) where the object is not, then the covered share.
    """
    frame = Frame.of(signature.mask, size, pose=pose)
    encoded = (encoding or Encoding()).encode(signature.image.values)
    return _on_canvas(encoded.transpose(1, 2, 0), signature.mask, frame)


def _on_canvas(values: FloatArray, mask: BoolArray, frame: Frame) -> FloatArray:
    """Air (or white) is 1 in both domains, so one rule holds outside the mask."""
    stacked = np.concatenate([values - 1.0, mask[..., None]], axis=2, dtype=np.float32)
    canvas = frame.to_canvas(stacked, fill=0.0).transpose(2, 0, 1).copy()
    canvas[:-1] += 1.0
    canvas[:-1, canvas[-1] <= 0.0] = 1.0
    return canvas
