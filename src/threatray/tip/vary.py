"""One threat, many views: turned, mirrored, scaled, thicker or thinner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, Self
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from threatray.core.annotations import box_of_mask
from threatray.core.image import TRANSMISSION_FLOOR, BoolArray, FloatArray, Quantity, XrayImage
from threatray.core.signature import Signature
from threatray.errors import ConfigError, DataError

_MAX_SIDE: Final = 8192
_MAX_BLUR: Final = 20.0
_MARGIN: Final = 2
"""Pixels of canvas around a moved thing, beside the source pixels that the interpolation reaches: its soft rim."""

_COVERED: Final = 0.15
"""A pixel belongs to the varied mask if the thing covers this much of it, compared with where it covers most: the soft
rim, which a scan has too, stays with the thing."""


class Kernel(StrEnum):
    """How pixels are interpolated when a thing is turned or scaled: over 4x4 or, sharper and about four times slower, 8x8 pixels."""

    CUBIC = "cubic"
    LANCZOS = "lanczos"


@dataclass(frozen=True)
class VariationParams:
    """One drawn variation; JSON-able, and all that ``apply`` needs.

    Args:
        flip: Mirror left and right, before turning: the thing seen from its other side.
        angle_deg: Turn counter-clockwise on the screen.
        scale: Length multiplier.
        density_power: k in ``T**k``: 1 leaves the thickness as it is.
        blur_px: Standard deviation of a Gaussian blur of the attenuation, to match a softer scanner; 0 for none.
        kernel: How pixels are interpolated.
    """

    flip: bool = False
    angle_deg: float = 0.0
    scale: float = 1.0
    density_power: float = 1.0
    blur_px: float = 0.0
    kernel: Kernel = Kernel.CUBIC

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernel", Kernel(self.kernel))
        for name in ("scale", "density_power"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ConfigError(f"variation: {name} must be finite and above 0, got {getattr(self, name)}.")
        if not np.isfinite(self.angle_deg):
            raise ConfigError(f"variation: angle_deg must be finite, got {self.angle_deg}.")
        if not 0 <= self.blur_px <= _MAX_BLUR:
            raise ConfigError(f"variation: blur_px must lie in [0, {_MAX_BLUR}], got {self.blur_px}.")

    def as_json(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of ``as_json``.

        Raises:
            DataError: Missing or unknown keys.
        """
        try:
            return cls(**value)
        except (TypeError, ValueError) as error:
            raise DataError(f"variation parameters: {error}. They must be those that as_json wrote.") from None


@dataclass(frozen=True)
class Variation:
    r"""Turns, mirrors, scales and thickens a signature; a ``Transform``.

    Turning and scaling act on the attenuation :math:`-\ln T` (path lengths are what a lens would move), thickness on
    :math:`T^k`, which multiplies every path length by k.

    Args:
        angle_range_deg: Angles are drawn evenly from this range.
        flip_probability: How often the view is mirrored.
        scale_range: Length multipliers, drawn evenly in the logarithm.
        density_power_range: k, drawn evenly in the logarithm.
        blur_range_px: Blur, drawn evenly.
        kernel: How pixels are interpolated.

    Raises:
        ConfigError: A range is reversed or out of bounds.

    Example:
        >>> from threatray.core import GREY, Origin, OriginKind
        >>> values = np.ones((1, 12, 30), np.float32); values[0, 2:10, 3:27] = 0.5
        >>> thing = Signature("a", XrayImage(values, Quantity.TRANSMISSION, GREY), values[0] < 1, "gun",
        ...                   Origin(OriginKind.RENDERED, "a", "a"))
        >>> Variation().apply(thing, VariationParams(angle_deg=90)).image.size
        (24, 8)
        >>> params = Variation().draw(thing, np.random.default_rng(0))
        >>> 0.9 <= params.density_power <= 1.1
        True
    """

    angle_range_deg: tuple[float, float] = (0.0, 360.0)
    flip_probability: float = 0.5
    scale_range: tuple[float, float] = (1.0, 1.0)
    density_power_range: tuple[float, float] = (0.9, 1.1)
    blur_range_px: tuple[float, float] = (0.0, 0.0)
    kernel: Kernel = Kernel.CUBIC

    def __post_init__(self) -> None:
        for name in ("angle_range_deg", "scale_range", "density_power_range", "blur_range_px"):
            low, high = getattr(self, name)
            if not low <= high:
                raise ConfigError(f"variation: {name} must run from low to high, got {(low, high)}.")
        if self.scale_range[0] <= 0 or self.density_power_range[0] <= 0:
            raise ConfigError("variation: scale_range and density_power_range must lie above 0.")
        if not 0 <= self.flip_probability <= 1:
            raise ConfigError(f"variation: flip_probability must lie in [0, 1], got {self.flip_probability}.")

    def draw(self, signature: Signature, rng: np.random.Generator) -> VariationParams:
        """Draw the parameters; always the same number of draws, whatever the settings."""
        flip = bool(rng.random() < self.flip_probability)
        angle = float(rng.uniform(*self.angle_range_deg))
        scale, power = (float(np.exp(rng.uniform(*np.log(ends)))) for ends in (self.scale_range, self.density_power_range))
        return VariationParams(flip, angle, scale, power, float(rng.uniform(*self.blur_range_px)), self.kernel)

    def apply(self, signature: Signature, params: VariationParams) -> Signature:
        """Carry the parameters out.

        Returns:
            A signature of the same id and origin, cropped to its mask, 1 outside it; itself, cropped, for default parameters.

        Raises:
            DataError: The result would have no pixel left, or a side over 8192 pixels.
        """
        return vary(signature, params)


@lru_cache(maxsize=8)
def vary(signature: Signature, params: VariationParams) -> Signature:
    """The signature seen as the parameters say; see ``Variation``. The last few are remembered: what was drawn is applied next."""
    if params.angle_deg % 90 != 0 or params.scale != 1 or params.blur_px > 0:
        values, mask, grain = _moved(signature, params)
    else:  # quarter turns are a matter of naming the axes: nothing is lost
        quarters = round(params.angle_deg / 90)
        values, mask, grain = signature.image.values, signature.mask, signature.grain
        if params.flip:
            values, mask, grain = values[..., ::-1], mask[:, ::-1], None if grain is None else grain[..., ::-1]
        values, mask = np.rot90(values, quarters, axes=(1, 2)), np.rot90(mask, quarters)
        x0, y0, x1, y1 = _extent(signature, mask, params)
        values, mask = values[:, y0:y1, x0:x1], mask[y0:y1, x0:x1]
        grain = None if grain is None else np.ascontiguousarray(np.rot90(grain, quarters, axes=(1, 2))[:, y0:y1, x0:x1])
        if params.density_power != 1:  # else no exp(-(-ln T)): an unmoved, unchanged thing keeps its bits
            values = np.clip(values ** np.float32(params.density_power), TRANSMISSION_FLOOR, 1).astype(np.float32)
    image = XrayImage(np.ascontiguousarray(values), Quantity.TRANSMISSION, signature.image.channels)
    # What noise is left grows with the attenuation; what resampling smooths of it is little, and not counted.
    noise = None if signature.noise is None else tuple(each * params.density_power**2 for each in signature.noise)
    return replace(signature, image=image, mask=np.ascontiguousarray(mask), grain=grain, noise=noise)


def _moved(signature: Signature, params: VariationParams) -> tuple[FloatArray, BoolArray, FloatArray | None]:
    """Transmission, mask and grain of a signature that is turned, scaled or blurred."""
    source = _layers(signature)
    moved = _warp(signature, source, params)
    layers = [np.ascontiguousarray(moved[..., number]) for number in range(moved.shape[2])]
    channels = len(signature.image.channels)
    planes, coverage, colours = layers[:channels], layers[channels], layers[channels + 1 :]
    mask = np.asarray(coverage >= max(_COVERED * float(coverage.max()), 1e-6), np.bool_)
    x0, y0, x1, y1 = _extent(signature, mask, params)
    mask = mask[y0:y1, x0:x1]
    # Cubic interpolation overshoots at sharp edges; a thing never gets darker or lighter than it was.
    values = np.stack([plane[y0:y1, x0:x1] for plane in planes])
    np.clip(values, 0, np.float32(-np.log(signature.image.values.min())), out=values)
    values *= mask * np.float32(-params.density_power)  # 0 outside the mask, where the transmission is 1
    np.exp(values, out=values)
    np.clip(values, np.float32(TRANSMISSION_FLOOR), np.float32(1), out=values)
    # Grain is a share of luma, not a path length: it moves with the thing, and thickness leaves it.
    grain = np.stack([colour[y0:y1, x0:x1] for colour in colours]) * mask if colours else None
    return values, mask, grain


def _extent(signature: Signature, mask: BoolArray, params: VariationParams) -> tuple[int, int, int, int]:
    if not mask.any():
        raise DataError(f"variation of {signature.id}: at scale {params.scale:.4g} no pixel of its mask is left.")
    x0, y0, x1, y1 = (int(edge) for edge in box_of_mask(mask))
    return x0, y0, x1, y1


_kept: WeakKeyDictionary[Signature, FloatArray] = WeakKeyDictionary()


def _layers(signature: Signature) -> FloatArray:
    """(H, W, C + 1 or C + 4): attenuation, and as more channels the mask and the grain, so that they go exactly where it goes.

    Kept as long as the signature lives: a library's signatures are varied again and again.
    """
    found = _kept.get(signature)
    if found is None:
        grain = () if signature.grain is None else (signature.grain,)
        layers = np.concatenate([signature.image.attenuation().values, signature.mask[None].astype(np.float32), *grain])
        found = _kept[signature] = np.ascontiguousarray(layers.transpose(1, 2, 0))
    return found


def _warp(signature: Signature, layers: FloatArray, params: VariationParams) -> FloatArray:
    """(h, w, C + 1 or C + 4) attenuation, coverage and grain, moved; a canvas just large enough for the thing."""
    import cv2

    if params.angle_deg % 360 != 0 or params.scale != 1:
        if params.scale < 1:
            # warpAffine only samples: without this blur a small picture of a large thing shows jagged edges.
            layers = _blur(layers, 0.5 * float(np.sqrt(1 / params.scale**2 - 1)))
        radians = np.deg2rad(params.angle_deg)
        cosine, sine = params.scale * np.cos(radians), params.scale * np.sin(radians)
        linear = np.array([[cosine, sine], [-sine, cosine]])
        if params.flip:
            linear = linear @ np.diag([-1.0, 1.0])
        # Pixel centres lie at whole numbers, so the corners of a pixel lie half a pixel before and after.
        corners = (_hull(signature) - 0.5) @ linear.T
        size = np.ceil(np.ptp(corners, axis=0)).astype(int) + 2 * _MARGIN + 2 * int(np.ceil(_reach(params.kernel) * max(1.0, params.scale)))
        if size.max() > _MAX_SIDE:
            raise DataError(f"variation of {signature.id}: {size[0]}x{size[1]} pixels; no side may exceed {_MAX_SIDE}.")
        reach = (layers.shape[0] - signature.mask.shape[0]) / 2  # what the blur added on each side
        middle = (corners.max(axis=0) + corners.min(axis=0)) / 2
        shift = (size - 1) / 2 - middle - linear @ np.array([reach, reach])
        matrix = np.concatenate([linear, shift[:, None]], axis=1)
        canvas = (int(size[0]), int(size[1]))
        flags = cv2.INTER_CUBIC if params.kernel is Kernel.CUBIC else cv2.INTER_LANCZOS4
        layers = _each_four(lambda part: cv2.warpAffine(part, matrix, canvas, flags=flags), layers)
    elif params.flip:
        layers = np.ascontiguousarray(layers[:, ::-1])
    return _blur(layers, params.blur_px) if params.blur_px > 0 else layers


def _reach(kernel: Kernel) -> int:
    """Source pixels on each side that an interpolated one depends on."""
    return 2 if kernel is Kernel.CUBIC else 4


def _each_four(change: Callable[[FloatArray], Any], layers: FloatArray) -> FloatArray:
    """OpenCV moves up to four channels at once."""
    parts = [change(np.ascontiguousarray(layers[..., start : start + 4])) for start in range(0, layers.shape[2], 4)]
    return np.concatenate([part.reshape(*part.shape[:2], -1) for part in parts], axis=2) if len(parts) > 1 else np.asarray(parts[0])


def _blur(layers: FloatArray, sigma: float) -> FloatArray:
    import cv2

    reach = int(np.ceil(3 * sigma))
    padded = np.pad(layers, ((reach, reach), (reach, reach), (0, 0)))
    return _each_four(lambda part: cv2.GaussianBlur(part, (0, 0), sigma), padded)


_hulls: WeakKeyDictionary[Signature, NDArray[np.float64]] = WeakKeyDictionary()


def _hull(signature: Signature) -> NDArray[np.float64]:
    """(N, 2) corners (x, y) of the convex hull of the mask's pixels; a pixel at (0, 0) reaches from 0 to 1."""
    import cv2

    found = _hulls.get(signature)
    if found is None:
        # Only the first and last pixel of a row can be outermost; of each its corners, for one pixel has a length too.
        rows = np.flatnonzero(signature.mask.any(axis=1))
        first = signature.mask[rows].argmax(axis=1)
        last = signature.mask.shape[1] - signature.mask[rows, ::-1].argmax(axis=1)
        corners = np.concatenate([np.stack([columns, rows + down], axis=1) for columns in (first, last) for down in (0, 1)])
        found = _hulls[signature] = cv2.convexHull(corners.astype(np.int32))[:, 0].astype(np.float64)
    return found


def length_px(signature: Signature) -> float:
    """The greatest distance between two points of the mask, in pixels: the thing's length however it lies.

    Example:
        >>> from threatray.core import GREY, Origin, OriginKind
        >>> values = np.ones((1, 9, 9), np.float32); values[0, 2:5, 3:7] = 0.5
        >>> length_px(Signature("a", XrayImage(values, Quantity.TRANSMISSION, GREY), values[0] < 1, "gun",
        ...                     Origin(OriginKind.RENDERED, "a", "a")))
        5.0
    """
    hull = _hull(signature)
    return float(np.sqrt(((hull[:, None] - hull[None]) ** 2).sum(axis=2).max()))


def scale_to_length(signature: Signature, target_length_px: float) -> float:
    """The scale at which the signature has this length.

    Raises:
        ConfigError: The target is not above 0.
    """
    if not target_length_px > 0:
        raise ConfigError(f"target_length_px must be above 0, got {target_length_px}.")
    return float(target_length_px) / length_px(signature)
