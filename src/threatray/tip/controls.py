"""Control arms: the two ways of pasting that are not physics, so that experiments can say what physics is worth.

They place the same threats at the same places with the same annotations as ``compose.apply_composite``.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from threatray.core.image import TRANSMISSION_FLOOR, BoolArray, FloatArray, Quantity, XrayImage
from threatray.errors import ConfigError, DataError
from threatray.tip.compose import Composite, CompositeParams, Lookup, annotations_of
from threatray.tip.vary import vary


class ControlArm(StrEnum):
    """Which way of pasting."""

    ALPHA_BLEND = "alpha_blend"
    OPAQUE_PASTE = "opaque_paste"


def alpha_blend(bag: XrayImage, appearance: FloatArray, mask: BoolArray, x: int, y: int, *, alpha: float = 0.6) -> XrayImage:
    """Control arm: the weighted mean of bag and threat, ``(1 - alpha) bag + alpha threat``, inside the mask.

    Brightens dark bags and lets things shine through steel, as no X-ray does.

    Args:
        bag: (C, H, W) transmission or pseudo-colour.
        appearance: (C, h, w) how the threat looks in the bag's own quantity: a signature's transmission, a photo crop in [0, 1].
        mask: (h, w) bool.
        x: Column of the window's left edge.
        y: Row of the window's top edge.
        alpha: Weight of the threat, in [0, 1].

    Raises:
        ConfigError: ``alpha`` out of range.
        DataError: Shapes, range or place are wrong.

    Example:
        >>> bag = XrayImage(np.full((1, 2, 2), 0.2, np.float32), Quantity.TRANSMISSION, ("grey",))
        >>> out = alpha_blend(bag, np.full((1, 1, 1), 0.8, np.float32), np.ones((1, 1), bool), 0, 0, alpha=0.5)
        >>> out.values[0].tolist()
        [[0.5, 0.20000000298023224], [0.20000000298023224, 0.20000000298023224]]
    """
    if not 0 <= alpha <= 1:
        raise ConfigError(f"alpha_blend: alpha must lie in [0, 1], got {alpha}.")
    if bag.quantity is Quantity.ATTENUATION:
        raise DataError("control arms paste what is seen: expected a transmission or pseudo-colour bag, got attenuation.")
    count, height, width = appearance.shape
    if count != bag.values.shape[0] or mask.shape != (height, width):
        raise DataError(f"control arm: threat {appearance.shape} and mask {mask.shape} do not go with a bag of {bag.values.shape}.")
    if not (0 <= x <= bag.width - width and 0 <= y <= bag.height - height):
        raise DataError(f"control arm: the {width}x{height} window at ({x}, {y}) leaves the {bag.width}x{bag.height} scan.")
    if not (appearance.min() >= 0 and appearance.max() <= 1):
        raise DataError(f"control arm: the threat's values must lie in [0, 1], got [{appearance.min():.3g}, {appearance.max():.3g}].")
    values = bag.values.copy()
    window = values[:, y : y + height, x : x + width]
    mixed = (1 - alpha) * window[:, mask] + alpha * appearance[:, mask]
    low = TRANSMISSION_FLOOR if bag.quantity is Quantity.TRANSMISSION else 0.0
    window[:, mask] = np.clip(mixed, low, 1.0)
    return XrayImage(values, bag.quantity, bag.channels)


def opaque_paste(bag: XrayImage, appearance: FloatArray, mask: BoolArray, x: int, y: int) -> XrayImage:
    """Control arm: the threat's picture covers the bag inside the mask, as if the bag were not there.

    Arguments and errors are those of ``alpha_blend``.

    Example:
        >>> bag = XrayImage(np.full((1, 1, 2), 0.25, np.float32), Quantity.TRANSMISSION, ("grey",))
        >>> opaque_paste(bag, np.full((1, 1, 1), 0.75, np.float32), np.ones((1, 1), bool), 0, 0).values[0, 0].tolist()
        [0.75, 0.25]
    """
    return alpha_blend(bag, appearance, mask, x, y, alpha=1.0)


def apply_control(bag: XrayImage, params: CompositeParams, lookup: Lookup, arm: ControlArm, *, alpha: float = 0.6) -> Composite:
    """The composite that a control arm makes of the same parameters: same threats, places and annotations.

    Args:
        bag: Transmission.
        params: What ``draw_composite`` gave.
        lookup: From signature id to signature.
        arm: Which way of pasting.
        alpha: Weight of the threat in ``alpha_blend``.

    Raises:
        DataError: As ``apply_composite``.
    """
    placed = [(insertion, vary(lookup(insertion.signature_id), insertion.variation)) for insertion in params.insertions]
    annotations = annotations_of(bag, placed)
    image = bag
    for insertion, varied in placed:
        weight = 1.0 if arm is ControlArm.OPAQUE_PASTE else alpha
        image = alpha_blend(image, varied.image.values, varied.mask, insertion.x, insertion.y, alpha=weight)
    return Composite(image, annotations, params)
