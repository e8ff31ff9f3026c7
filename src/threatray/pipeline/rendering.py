"""How a transmission looks on a screener's screen, whatever its channels are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from threatray.core import COLOUR, DUAL_ENERGY, XrayImage
from threatray.physics.pseudo_colour import DEFAULT_PALETTE


def on_screen(image: XrayImage) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: dual energy through the default palette, colour as it is, grey as grey.

    Args:
        image: A transmission or pseudo-colour image.
    """
    if image.channels == DUAL_ENERGY:
        image = DEFAULT_PALETTE.render(image)
    pixels = np.round(image.values * 255).astype(np.uint8).transpose(1, 2, 0)
    return pixels if image.channels == COLOUR else np.repeat(pixels[..., :1], 3, axis=2)
