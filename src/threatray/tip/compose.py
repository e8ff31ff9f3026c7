"""Threat image projection: a signature multiplied into a bag, drawn once and replayable for ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from threatray.core.annotations import Annotations, box_of_mask
from threatray.core.image import TRANSMISSION_FLOOR, BoolArray, Quantity, XrayImage
from threatray.core.signature import Signature
from threatray.errors import DataError
from threatray.tip.vary import VariationParams, vary

CHANGE_EPSILON: Final = 0.01
"""Attenuation below this is noise: one part in a hundred, two or three grey levels of 8 bit in air."""

SEEN: Final = 2 / 255
"""A threat is seen where it darkens some channel by at least this much transmission: two grey levels of an 8-bit screen."""

Lookup = Callable[[str], Signature]
"""From a signature's id to the signature."""


def project(bag: XrayImage, signature: Signature, x: int, y: int) -> XrayImage:
    r"""The scan that the bag would give with the threat in it: :math:`T = T_{bag} \cdot T_{threat}` in every channel.

    Args:
        bag: (C, H, W) transmission.
        signature: A threat of the same channels; its window must lie within the picture.
        x: Column of the window's left edge.
        y: Row of the window's top edge.

    Returns:
        A transmission never above the bag's; the bag's bit for bit outside the signature's mask. Values are held at
        ``TRANSMISSION_FLOOR``, below which no detector tells black from black.

    Raises:
        DataError: Other channels, no transmission, or a window outside the picture.

    Note:
        Exact for one energy. For a spectrum it neglects that the bag has hardened the beam before the threat.

    Example:
        >>> from threatray.core import GREY, Origin, OriginKind
        >>> bag = XrayImage(np.full((1, 4, 5), 0.5, np.float32), Quantity.TRANSMISSION, GREY)
        >>> threat = XrayImage(np.full((1, 2, 2), 0.5, np.float32), Quantity.TRANSMISSION, GREY)
        >>> thing = Signature("a", threat, np.ones((2, 2), bool), "gun", Origin(OriginKind.RENDERED, "a", "a"))
        >>> project(bag, thing, 3, 1).values[0, 1].tolist()
        [0.5, 0.5, 0.5, 0.25, 0.25]
    """
    window = window_of(bag, signature, x, y)
    values = bag.values.copy()
    values[window] = np.maximum(values[window] * signature.image.values, np.float32(TRANSMISSION_FLOOR))
    return XrayImage(values, Quantity.TRANSMISSION, bag.channels)


def window_of(bag: XrayImage, signature: Signature, x: int, y: int) -> tuple[slice, slice, slice]:
    """The signature's window in the bag, checked.

    Raises:
        DataError: Other channels, no transmission, or a window outside the picture.
    """
    if bag.quantity is not Quantity.TRANSMISSION:
        raise DataError(
            f"projecting {signature.id}: the bag must be a transmission, got {bag.quantity.value}. "
            "Only transmissions multiply: use transmission(), or as_channel_transmission() for colour."
        )
    if bag.channels != signature.image.channels:
        raise DataError(f"projecting {signature.id}: the bag has channels {bag.channels}, the signature {signature.image.channels}.")
    height, width = signature.image.size
    if not (0 <= x <= bag.width - width and 0 <= y <= bag.height - height):
        raise DataError(f"projecting {signature.id}: its {width}x{height} window at ({x}, {y}) leaves the {bag.width}x{bag.height} scan.")
    return slice(None), slice(y, y + height), slice(x, x + width)


def visible_mask(signature: Signature, epsilon: float = CHANGE_EPSILON) -> BoolArray:
    """The pixels that a projection changes by more than noise: attenuation above ``epsilon`` in some channel."""
    least = np.float32(np.exp(-epsilon))
    mask = signature.image.values[0] < least
    for channel in signature.image.values[1:]:
        mask |= channel < least
    return np.asarray(mask, np.bool_)


@dataclass(frozen=True)
class Insertion:
    """One threat in one bag: which, how seen, where its window's corner lies, and over what (``placement.Place``)."""

    signature_id: str
    variation: VariationParams
    x: int
    y: int
    under: float = 0.0
    overlap: float = 0.0


@dataclass(frozen=True)
class CompositeParams:
    """Everything that was drawn for one composite: replaying it gives the same bytes.

    Args:
        bag_id: The bag.
        insertions: The threats in it.
        finish_seed: Seed of the noise of the inserted areas, where there is any.
        levels_per_photon: The bag's scanner's, in each of the signatures' channels (``match.levels_per_photon``): how much noise the
            inserted areas get. Empty for none.
    """

    bag_id: str
    insertions: tuple[Insertion, ...]
    finish_seed: int = 0
    levels_per_photon: tuple[float, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "bag_id": self.bag_id,
            "finish_seed": self.finish_seed,
            "levels_per_photon": list(self.levels_per_photon),
            "insertions": [
                {
                    "signature_id": each.signature_id,
                    "variation": each.variation.as_json(),
                    "x": each.x,
                    "y": each.y,
                    "under": each.under,
                    "overlap": each.overlap,
                }
                for each in self.insertions
            ],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of ``as_json``.

        Raises:
            DataError: Not what ``as_json`` writes.
        """
        try:
            insertions = tuple(
                Insertion(
                    str(each["signature_id"]),
                    VariationParams.from_json(each["variation"]),
                    int(each["x"]),
                    int(each["y"]),
                    float(each.get("under", 0.0)),
                    float(each.get("overlap", 0.0)),
                )
                for each in value["insertions"]
            )
            photon = tuple(float(each) for each in value.get("levels_per_photon", ()))
            return cls(str(value["bag_id"]), insertions, int(value.get("finish_seed", 0)), photon)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"composite parameters: cannot be read ({type(error).__name__}: {error}).") from None


@dataclass(frozen=True, eq=False)
class Composite:
    """A bag with threats in it, and the truth about them.

    Args:
        image: Transmission.
        annotations: One box, label and amodal mask a threat with the part of it that can be seen, in the order of the insertions.
        params: What was projected where.
    """

    image: XrayImage
    annotations: Annotations
    params: CompositeParams


def apply_composite(bag: XrayImage, params: CompositeParams, lookup: Lookup) -> Composite:
    """Carry out what was drawn; no randomness is left, and the order of the insertions does not matter to a bit.

    Args:
        bag: The bag that the parameters were drawn for, transmission.
        params: What ``draw_composite`` gave, or read back from JSON.
        lookup: From signature id to signature.

    Returns:
        The composite. Boxes and masks hold exactly the pixels whose attenuation a threat raises by more than
        ``CHANGE_EPSILON``; masks are amodal, whatever lies over the threat, and ``visible`` says where it changes the picture by
        ``SEEN`` or more.

    Raises:
        DataError: A window outside the bag, other channels, or a signature that changes nothing.
    """
    placed = [(insertion, vary(lookup(insertion.signature_id), insertion.variation)) for insertion in params.insertions]
    values = bag.values.copy()
    # Products of floats depend on their order in the last bit, so the order is fixed.
    for insertion, varied in sorted(placed, key=lambda pair: insertion_order(pair[0])):
        window = window_of(bag, varied, insertion.x, insertion.y)
        values[window] *= varied.image.values
    image = XrayImage(np.maximum(values, np.float32(TRANSMISSION_FLOOR)), Quantity.TRANSMISSION, bag.channels)
    things = annotations_of(bag, placed)
    if things.masks is None:
        return Composite(image, things, params)
    visible = things.masks.copy()
    for number, (insertion, varied) in enumerate(placed):
        window = window_of(bag, varied, insertion.x, insertion.y)
        # Without it the picture would be lighter by 1 / T.
        change = values[window] / varied.image.values - values[window]
        visible[number][window[1:]] &= (change >= SEEN).any(axis=0)
    return Composite(image, Annotations(things.boxes, things.labels, things.masks, visible), params)


def annotations_of(bag: XrayImage, placed: Sequence[tuple[Insertion, Signature]]) -> Annotations:
    """Boxes, labels and amodal masks of varied signatures at their places.

    Raises:
        DataError: A signature that changes nothing, so that it has no box.
    """
    masks = np.zeros((len(placed), *bag.size), np.bool_)
    boxes = np.zeros((len(placed), 4), np.float32)
    for place_in_list, (insertion, varied) in enumerate(placed):
        window = window_of(bag, varied, insertion.x, insertion.y)
        masks[place_in_list][window[1:]] = visible_mask(varied)
        if not masks[place_in_list].any():
            raise DataError(f"{varied.id}: nowhere adds more than {CHANGE_EPSILON} attenuation, so it is invisible and has no box.")
        boxes[place_in_list] = box_of_mask(masks[place_in_list])
    return Annotations(boxes, tuple(varied.class_name for _, varied in placed), masks)


def insertion_order(insertion: Insertion) -> tuple[Any, ...]:
    """A key by which the same insertions are always sorted alike."""
    return (insertion.signature_id, insertion.x, insertion.y, *insertion.variation.as_json().values())
