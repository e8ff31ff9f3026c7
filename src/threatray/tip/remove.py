"""Threat removal: a labelled scan in, the same bag without its threats out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from threatray.core.image import COLOUR, TRANSMISSION_FLOOR, BoolArray, FloatArray, Quantity, XrayImage
from threatray.core.sample import Sample
from threatray.errors import DataError
from threatray.tip.background import harmonic_fill
from threatray.tip.continuation import continued_fill
from threatray.tip.isolate import IsolateConfig, Isolated, grown, isolate
from threatray.tip.refusal import Refused

_RIM_PIXELS: Final = 2
_RING_SHARE: Final = 1.5


class Fill(StrEnum):
    """How the bag behind a threat is made up."""

    HARMONIC = "harmonic"
    CONTINUED = "continued"
    REVERSIBLE = "reversible"


@dataclass(frozen=True, eq=False)
class Removed:
    """A bag without its threats.

    Args:
        image: Transmission; the scan's bit for bit outside ``hole``.
        hole: (H, W) bool, the pixels that were made up.
        isolated: What was taken out, in the order of the annotations.
    """

    image: XrayImage
    hole: BoolArray
    isolated: tuple[Isolated, ...]


def remove_threats(sample: Sample, config: IsolateConfig | None = None, fill: Fill = Fill.CONTINUED) -> Removed | Refused:
    """Take every labelled threat out of a scan and make up the bag behind it.

    Args:
        sample: As for ``isolate``; at least one annotation.
        config: Limits, as for ``isolate``.
        fill: How the bag is made up. ``REVERSIBLE`` is the very guess that the signatures were divided by, in their own pixels only and
            nowhere darker than the scan, so that projecting them back gives the scan again (in pseudo-colour up to what is nearly
            black); what the guess cannot explain stays in the bag. The others also make up a rim of two pixels, which holds some of
            the threat's blur.

    Returns:
        The bag, or why one of its threats could not be isolated: a bag that may still hold a threat is not benign.

    Raises:
        DataError: No annotation, or as ``isolate``.

    Note:
        What was not labelled stays. The made-up part is plausible, not true: never use it to judge what really lay there.

    Example:
        >>> from threatray.core import GREY, Annotations
        >>> values = np.full((1, 80, 90), 0.8, np.float32); values[0, 30:50, 25:65] = 0.2
        >>> sample = Sample("s1", XrayImage(values, Quantity.TRANSMISSION, GREY),
        ...                 Annotations(np.array([[22, 27, 68, 53]], np.float32), ("gun",)), "bag-1")
        >>> bool(np.abs(remove_threats(sample).image.values - 0.8).max() < 0.01)
        True
    """
    if not len(sample.annotations):
        raise DataError(f"remove threats from {sample.id}: it has no annotation, so there is nothing to take out.")
    found: list[Isolated] = []
    for index in range(len(sample.annotations)):
        isolated = isolate(sample, index, config)
        if isinstance(isolated, Refused):
            return isolated
        found.append(isolated)
    return without(sample.image, found, fill)


def without(image: XrayImage, isolated: Sequence[Isolated], fill: Fill = Fill.CONTINUED) -> Removed:
    """A scan without what was isolated from it.

    Args:
        image: The scan, transmission or attenuation.
        isolated: What ``isolate`` found in this very scan.
        fill: As for ``remove_threats``.

    Raises:
        DataError: The holes cover everything.
    """
    image = image.transmission()
    values = image.values.copy()
    hole = np.zeros(image.size, np.bool_)
    for found in isolated:
        x0, y0, x1, y1 = (int(edge) for edge in found.box)
        hole[y0:y1, x0:x1] |= found.signature.mask
        window = values[:, y0:y1, x0:x1]
        np.copyto(window, np.maximum(window, found.bag_behind.values), where=found.signature.mask)
    if fill is Fill.REVERSIBLE:
        return Removed(XrayImage(values, Quantity.TRANSMISSION, image.channels), hole, tuple(isolated))
    hole = grown(hole, _RIM_PIXELS)
    return Removed(fill_hole(image, hole, fill), hole, tuple(isolated))


def fill_hole(image: XrayImage, hole: BoolArray, fill: Fill = Fill.CONTINUED) -> XrayImage:
    """A scan with some pixels made up from those around them.

    Args:
        image: Transmission or attenuation.
        hole: (H, W) bool.
        fill: How; ``REVERSIBLE`` needs to know what is taken out, so it is refused.

    Returns:
        Transmission, the input bit for bit outside the hole. In energy and in grey never darker than the scan: what is taken out
        had added to what stays. (In pseudo-colour channels it may be: blue steel over orange is lighter in blue than the orange alone.)

    Raises:
        DataError: The hole covers everything, a pseudo-colour image, or ``REVERSIBLE``.
    """
    if fill is Fill.REVERSIBLE:
        raise DataError("fill_hole: a reversible fill belongs to a threat; use remove_threats.")
    image = image.transmission()
    if not hole.any():
        return image
    rows, columns = _around(hole)
    part = hole[rows, columns]
    attenuation = (
        XrayImage(np.ascontiguousarray(image.values[:, rows, columns]), Quantity.TRANSMISSION, image.channels).attenuation().values
    )
    made: FloatArray = harmonic_fill(attenuation, part) if fill is Fill.HARMONIC else continued_fill(attenuation, part)
    if image.channels != COLOUR:
        made = np.minimum(made, attenuation)
    values = image.values.copy()
    bright = np.clip(np.exp(-made), TRANSMISSION_FLOOR, 1.0).astype(np.float32)
    values[:, rows, columns] = np.where(part, bright, values[:, rows, columns])
    return XrayImage(values, Quantity.TRANSMISSION, image.channels)


def _around(hole: BoolArray) -> tuple[slice, slice]:
    """The hole's box with as much bag around as a continuation may be taken from."""
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    ring = max(32, int(_RING_SHARE * max(rows[-1] - rows[0], columns[-1] - columns[0])))
    return slice(max(0, int(rows[0]) - ring), int(rows[-1]) + 1 + ring), slice(max(0, int(columns[0]) - ring), int(columns[-1]) + 1 + ring)
