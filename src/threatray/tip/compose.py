"""Threat image projection: a signature multiplied into a bag, drawn once and replayable for ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

import numpy as np

from threatray.core.annotations import Annotations, box_of_mask
from threatray.core.image import TRANSMISSION_FLOOR, BoolArray, FloatArray, Quantity, XrayImage
from threatray.core.signature import Signature
from threatray.errors import ConfigError, DataError
from threatray.tip.bag import BagMaskConfig, bag_mask
from threatray.tip.placement import PlacementMode, RelativePosition, bag_length_px, bag_under, median_under, place
from threatray.tip.refusal import Reason, Refused
from threatray.tip.vary import Variation, VariationParams, scale_to_length, vary

CHANGE_EPSILON: Final = 0.01
"""Attenuation below this is noise: one part in a hundred, two or three grey levels of 8 bit in air."""

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
    return np.asarray((signature.image.values < np.exp(-epsilon)).any(axis=0), np.bool_)


@dataclass(frozen=True)
class Insertion:
    """One threat in one bag: which, how seen, where its window's corner lies."""

    signature_id: str
    variation: VariationParams
    x: int
    y: int


@dataclass(frozen=True)
class CompositeParams:
    """Everything that was drawn for one composite: replaying it gives the same bytes."""

    bag_id: str
    insertions: tuple[Insertion, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "bag_id": self.bag_id,
            "insertions": [
                {"signature_id": each.signature_id, "variation": each.variation.as_json(), "x": each.x, "y": each.y}
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
                Insertion(str(each["signature_id"]), VariationParams.from_json(each["variation"]), int(each["x"]), int(each["y"]))
                for each in value["insertions"]
            )
            return cls(str(value["bag_id"]), insertions)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"composite parameters: cannot be read ({type(error).__name__}: {error}).") from None


@dataclass(frozen=True)
class ComposeConfig:
    """How threats are put into bags.

    Args:
        placement: Anywhere in the bag, or where real threats lay.
        min_inside: Least share of a threat's pixels inside the bag's silhouette.
        max_under_attenuation: A place is too dark to have been seen if the bag's median attenuation there is above this.
        min_added_attenuation: A threat is invisible if its median attenuation is below this.
        allow_overlap: Whether threats in one bag may lie over each other.
        attempts: Fresh variations tried before a threat is refused.
        places_per_attempt: Places looked at in each attempt.
        variation: How a signature is varied. A relative length overrules its scale.
        bag: How the bag's silhouette is found.
    """

    placement: PlacementMode = PlacementMode.SPREAD
    min_inside: float = 1.0
    max_under_attenuation: float = 2.0
    min_added_attenuation: float = 0.1
    allow_overlap: bool = False
    attempts: int = 6
    places_per_attempt: int = 8
    variation: Variation = field(default_factory=Variation)
    bag: BagMaskConfig = field(default_factory=BagMaskConfig)

    def __post_init__(self) -> None:
        if not 0 < self.min_inside <= 1:
            raise ConfigError(f"compose: min_inside must lie in (0, 1], got {self.min_inside}.")
        if self.attempts < 1 or self.places_per_attempt < 1:
            raise ConfigError(f"compose: attempts and places_per_attempt must be >= 1, got {self.attempts} and {self.places_per_attempt}.")
        if not (self.max_under_attenuation > 0 and self.min_added_attenuation >= 0):
            raise ConfigError("compose: max_under_attenuation must be above 0 and min_added_attenuation not below.")


@dataclass(frozen=True, eq=False)
class Composite:
    """A bag with threats in it, and the truth about them.

    Args:
        image: Transmission.
        annotations: One box, label and amodal mask a threat, in the order of the insertions.
        params: What was projected where.
    """

    image: XrayImage
    annotations: Annotations
    params: CompositeParams


def draw_composite(
    bag: XrayImage,
    bag_id: str,
    choices: Sequence[Signature],
    rng: np.random.Generator,
    config: ComposeConfig | None = None,
    *,
    relative_lengths: Sequence[float | None] = (),
    positions: Mapping[str, Sequence[RelativePosition]] | None = None,
    silhouette: BoolArray | None = None,
) -> CompositeParams | Refused:
    """Draw where and how each of the chosen threats lies in the bag.

    Args:
        bag: The benign bag, transmission.
        bag_id: Its name, for the record.
        choices: The threats, all to be projected.
        rng: Source of all randomness.
        config: How.
        relative_lengths: For each choice its length as a share of the bag's (``placement.relative_length``), or None to
            leave its scale to the variation. Empty: None for all.
        positions: Class name -> relative positions of real threats, for ``match``.
        silhouette: The bag's mask if the caller has it already.

    Returns:
        The parameters for ``apply_composite``, or why this bag and these threats do not go together.

    Raises:
        ConfigError: ``match`` without positions for a class, or lengths of another count than choices.
        DataError: Other channels or quantities.
    """
    config = config or ComposeConfig()
    if relative_lengths and len(relative_lengths) != len(choices):
        raise ConfigError(f"compose: {len(choices)} threats but {len(relative_lengths)} relative lengths.")
    lengths = tuple(relative_lengths) or (None,) * len(choices)
    free = bag_mask(bag, config.bag) if silhouette is None else silhouette
    if not free.any():
        return Refused(Reason.NO_BAG, f"{bag_id} holds nothing but air")
    # Where several bags lie on the belt, a bag's chance is its area: any of its pixels may be hit.
    rows, columns = np.nonzero(free)
    hit = int(rng.integers(len(rows)))
    free = bag_under(free, (float(columns[hit]), float(rows[hit]))).copy()
    length = bag_length_px(free)
    attenuation = bag.attenuation().values
    insertions: list[Insertion] = []
    for signature, share in zip(choices, lengths, strict=True):
        found = _draw_one(attenuation, free, signature, None if share is None else share * length, rng, config, positions or {})
        if isinstance(found, Refused):
            return found
        insertion, varied = found
        window = window_of(bag, varied, insertion.x, insertion.y)
        if not config.allow_overlap:
            free[window[1:]] &= ~varied.mask
        insertions.append(insertion)
    return CompositeParams(bag_id, tuple(insertions))


def _draw_one(
    attenuation: FloatArray,
    free: BoolArray,
    signature: Signature,
    target_length_px: float | None,
    rng: np.random.Generator,
    config: ComposeConfig,
    positions: Mapping[str, Sequence[RelativePosition]],
) -> tuple[Insertion, Signature] | Refused:
    added = float(np.median(signature.image.attenuation().values.mean(axis=0)[signature.mask]))
    if added < config.min_added_attenuation:
        return Refused(Reason.LOW_CONTRAST, f"{signature.id} adds {added:.3f} attenuation, at least {config.min_added_attenuation} shows")
    known = positions.get(signature.class_name, ())
    refusal = Refused(Reason.DOES_NOT_FIT, f"{signature.id} in {config.attempts} ways of lying")
    for _ in range(config.attempts):
        params = config.variation.draw(signature, rng)
        if target_length_px is not None:
            params = replace(params, scale=scale_to_length(signature, target_length_px))
        varied = vary(signature, params)
        spots = place(
            free,
            varied.mask,
            rng,
            mode=config.placement,
            positions=known,
            min_inside=config.min_inside,
            candidates=config.places_per_attempt,
        )
        for spot in spots:
            if median_under(attenuation, varied.mask, spot) <= config.max_under_attenuation:
                return Insertion(signature.id, params, spot.x, spot.y), varied
        if spots:
            refusal = Refused(Reason.NO_PLACE, f"{signature.id} at {config.attempts * config.places_per_attempt} places tried")
    return refusal


def apply_composite(bag: XrayImage, params: CompositeParams, lookup: Lookup) -> Composite:
    """Carry out what was drawn; no randomness is left, and the order of the insertions does not matter to a bit.

    Args:
        bag: The bag that the parameters were drawn for, transmission.
        params: What ``draw_composite`` gave, or read back from JSON.
        lookup: From signature id to signature.

    Returns:
        The composite. Boxes and masks hold exactly the pixels whose attenuation a threat raises by more than
        ``CHANGE_EPSILON``; masks are amodal, whatever lies over the threat.

    Raises:
        DataError: A window outside the bag, other channels, or a signature that changes nothing.
    """
    placed = [(insertion, vary(lookup(insertion.signature_id), insertion.variation)) for insertion in params.insertions]
    values = bag.values.copy()
    # Products of floats depend on their order in the last bit, so the order is fixed.
    for insertion, varied in sorted(placed, key=lambda pair: _order(pair[0])):
        window = window_of(bag, varied, insertion.x, insertion.y)
        values[window] *= varied.image.values
    image = XrayImage(np.maximum(values, np.float32(TRANSMISSION_FLOOR)), Quantity.TRANSMISSION, bag.channels)
    return Composite(image, annotations_of(bag, placed), params)


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


def _order(insertion: Insertion) -> tuple[Any, ...]:
    variation = insertion.variation
    return (insertion.signature_id, insertion.x, insertion.y, *variation.as_json().values())
