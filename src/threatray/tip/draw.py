"""Where and how threats will lie in a bag: all that is random about a composite, drawn and recorded before a pixel changes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np

from threatray.core.image import COLOUR, BoolArray, FloatArray, XrayImage
from threatray.core.signature import Signature
from threatray.errors import ConfigError, DataError
from threatray.tip.bag import BagMaskConfig
from threatray.tip.bag_map import BagMap
from threatray.tip.compose import CompositeParams, Insertion
from threatray.tip.levels import Law, StoredScan
from threatray.tip.placement import Difficulty, Place, PlacementMode, RelativePosition, bag_length_px, place
from threatray.tip.refusal import Reason, Refused
from threatray.tip.vary import Variation, VariationParams, scale_to_length, vary

_SEEDS: Final = 2**53
"""Seeds are kept below this, so that JSON holds them exactly everywhere."""


class Scaling(StrEnum):
    """What decides how large a threat is in its bag."""

    DATASET = "dataset"
    PITCH = "pitch"
    OWN = "own"


@dataclass(frozen=True)
class ComposeConfig:
    """How threats are put into bags.

    Args:
        placement: Anywhere in the bag (``spread``), where real threats lay (``match``), or by difficulty (``clutter``).
        difficulty: Which places ``clutter`` takes.
        scaling: As large as real threats of the class are in their bags (``dataset``), by the two pixel pitches (``pitch``), or as
            large as the signature is (``own``). The variation's scale is multiplied onto the last two.
        signature_pitch_mm: Width of a signature's pixel, for ``pitch``.
        bag_pitch_mm: Width of a bag's pixel, for ``pitch``.
        min_inside: Least share of a threat's pixels inside the bag's silhouette.
        max_under_attenuation: A place is too dark to have been seen if the bag's median attenuation there is above this.
        min_added_attenuation: A threat is invisible if its median attenuation is below this.
        allow_overlap: Whether threats in one bag may lie over each other.
        attempts: Fresh variations tried before a threat is refused.
        photon_noise: Whether threats without noise of their own get the photon noise that a scan has where they lie.
        levels_per_photon: The scanner's grey levels for one photon, low and high energy or grey (for colour by its energies: shares of
            air); measured in every bag if not given.
        variation: How a signature is varied.
        bag: How the bag's silhouette is found.
    """

    placement: PlacementMode = PlacementMode.SPREAD
    difficulty: Difficulty = field(default_factory=Difficulty)
    scaling: Scaling = Scaling.DATASET
    signature_pitch_mm: float | None = None
    bag_pitch_mm: float | None = None
    min_inside: float = 1.0
    max_under_attenuation: float = 2.0
    min_added_attenuation: float = 0.1
    allow_overlap: bool = False
    attempts: int = 6
    photon_noise: bool = True
    levels_per_photon: tuple[float, ...] = ()
    variation: Variation = field(default_factory=Variation)
    bag: BagMaskConfig = field(default_factory=BagMaskConfig)

    def __post_init__(self) -> None:
        if not 0 < self.min_inside <= 1:
            raise ConfigError(f"compose: min_inside must lie in (0, 1], got {self.min_inside}.")
        if self.attempts < 1:
            raise ConfigError(f"compose: attempts must be >= 1, got {self.attempts}.")
        if not (self.max_under_attenuation > 0 and self.min_added_attenuation >= 0):
            raise ConfigError("compose: max_under_attenuation must be above 0 and min_added_attenuation not below.")
        if not all(math.isfinite(each) and each >= 0 for each in self.levels_per_photon):
            raise ConfigError(f"compose: levels_per_photon must be numbers of at least 0, one a channel, got {self.levels_per_photon}.")
        pitches = (self.signature_pitch_mm, self.bag_pitch_mm)
        if self.scaling is Scaling.PITCH and any(pitch is None or not pitch > 0 for pitch in pitches):
            raise ConfigError(f"compose: scaling by pitch needs signature_pitch_mm and bag_pitch_mm above 0, got {pitches}.")

    @property
    def pitch_ratio(self) -> float:
        """By how much a signature is scaled so that its pixels are as wide as the bag's; 1 unless scaling by pitch."""
        if self.scaling is not Scaling.PITCH or self.signature_pitch_mm is None or self.bag_pitch_mm is None:
            return 1.0
        return self.signature_pitch_mm / self.bag_pitch_mm


def scanner_noise(config: ComposeConfig, law: Law, bag: StoredScan, air: FloatArray) -> tuple[float, ...]:
    """Levels of one photon of a bag's scanner, for ``draw_composite``: as given, else as its picture shows.

    Args:
        config: Whether noise is wanted, and the number if it is known.
        law: How threats go into the bag.
        bag: The bag as stored.
        air: (C,) level of empty air.

    Returns:
        One number a channel of the signatures; none where no noise is wanted, or none can be measured.

    Raises:
        ConfigError: Numbers were given for another count of channels, or for colours that are projected as if they were counts.

    Example:
        >>> from threatray.tip.levels import ChannelLaw
        >>> levels = 4 * np.random.default_rng(0).poisson(2_500, (1, 128, 128)).astype(np.uint16)
        >>> bag, air = StoredScan(levels, ("grey",)), np.array([20_000.0], np.float32)
        >>> 3.2 < scanner_noise(ComposeConfig(), ChannelLaw(), bag, air)[0] < 4.6
        True
        >>> scanner_noise(ComposeConfig(levels_per_photon=(4.0,)), ChannelLaw(), bag, air)
        (4.0,)
    """
    if not config.photon_noise:
        return ()
    given, channels = config.levels_per_photon, law.signature_channels(bag.channels)
    if not given:
        found = law.photon(bag.levels, air)
        return found if any(found) else ()
    if len(given) != len(channels) or channels == COLOUR:
        takes = "no photons, for these colours are no counts" if channels == COLOUR else f"{len(channels)} ({', '.join(channels)})"
        raise ConfigError(f"compose: levels_per_photon has {len(given)} numbers, these bags take {takes}.")
    return given


def draw_composite(
    bag: BagMap | XrayImage,
    bag_id: str,
    choices: Sequence[Signature],
    rng: np.random.Generator,
    config: ComposeConfig | None = None,
    *,
    relative_lengths: Sequence[float | None] = (),
    positions: Mapping[str, Sequence[RelativePosition]] | None = None,
    occupied: Sequence[tuple[float, float, float, float]] = (),
    levels_per_photon: Sequence[float] = (),
) -> CompositeParams | Refused:
    """Draw where and how each of the chosen threats lies in the bag.

    Args:
        bag: The benign bag on its grid, or its transmission, from which the grid is made.
        bag_id: Its name, for the record.
        choices: The threats, all to be projected.
        rng: Source of all randomness.
        config: How.
        relative_lengths: For each choice its length as a share of the bag's (``placement.relative_length``), or None to
            leave its scale to the variation. Empty: None for all.
        positions: Class name -> relative positions of real threats, for ``match``.
        occupied: Boxes that stay free of threats, xyxy pixels: what lies in the bag already.
        levels_per_photon: Of the bag's scanner, from ``scanner_noise``; recorded. Empty for no noise.

    Returns:
        The parameters for ``apply_composite`` and ``compose_levels``, or why this bag and these threats do not go together.

    Raises:
        ConfigError: ``match`` without positions for a class, or lengths of another count than choices.
        DataError: A pseudo-colour image.

    Example:
        >>> from threatray.core import GREY, Origin, OriginKind, Quantity
        >>> values = np.ones((1, 60, 80), np.float32); values[0, 10:50, 20:70] = 0.5
        >>> bar = XrayImage(np.full((1, 4, 20), 0.5, np.float32), Quantity.TRANSMISSION, GREY)
        >>> thing = Signature("a", bar, np.ones((4, 20), bool), "knife", Origin(OriginKind.RENDERED, "a", "a"))
        >>> params = draw_composite(XrayImage(values, Quantity.TRANSMISSION, GREY), "bag", [thing], np.random.default_rng(0))
        >>> len(params.insertions), bool(params.insertions[0].under > 0.6)
        (1, True)
    """
    config = config or ComposeConfig()
    if relative_lengths and len(relative_lengths) != len(choices):
        raise ConfigError(f"compose: {len(choices)} threats but {len(relative_lengths)} relative lengths.")
    lengths = tuple(relative_lengths) or (None,) * len(choices)
    if isinstance(bag, XrayImage):
        bag = BagMap.of(bag, config.bag)
    if not bag.inside.any():
        return Refused(Reason.NO_BAG, f"{bag_id} holds nothing but air")
    free = _one_bag(bag, rng)
    rim = 2 if bag.step > 1 else 0  # the outermost cells were left out of the map, but belong to the bag
    length = (bag_length_px(free) + rim) * bag.step
    for box in occupied:
        free[bag.cell_box(box)] = False
    insertions: list[Insertion] = []
    for number, (signature, share) in enumerate(zip(choices, lengths, strict=True), 1):
        target = None if share is None or config.scaling is not Scaling.DATASET else share * length
        found = _draw_one(bag, free, signature, target, rng, config, positions or {})
        if isinstance(found, Refused):
            return found
        insertion, varied = found
        if not config.allow_overlap and number < len(choices):
            height, width = varied.image.size
            rows, columns = bag.cell_box((insertion.x, insertion.y, insertion.x + width, insertion.y + height))
            free[rows, columns] &= ~_touched(bag, varied.mask, insertion)[: free[rows, columns].shape[0], : free[rows, columns].shape[1]]
        insertions.append(insertion)
    return CompositeParams(bag_id, tuple(insertions), int(rng.integers(_SEEDS)), tuple(levels_per_photon))


def _one_bag(bag: BagMap, rng: np.random.Generator) -> BoolArray:
    """Where several bags lie on the belt, a bag's chance is its area: any of its cells may be hit."""
    areas = bag.piece_areas
    piece = 1 + int(np.searchsorted(np.cumsum(areas), rng.random() * areas.sum(), side="right"))
    return np.asarray(bag.pieces == piece, np.bool_)


def _touched(bag: BagMap, mask: BoolArray, insertion: Insertion) -> BoolArray:
    """The cells that a placed mask touches, from the cell of its corner on."""
    down, right, step = insertion.y % bag.step, insertion.x % bag.step, bag.step
    padded = np.pad(mask, ((down, -(down + mask.shape[0]) % step), (right, -(right + mask.shape[1]) % step)))
    return np.asarray(padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step).any(axis=(1, 3)), np.bool_)


def _draw_one(
    bag: BagMap,
    free: BoolArray,
    signature: Signature,
    target_length_px: float | None,
    rng: np.random.Generator,
    config: ComposeConfig,
    positions: Mapping[str, Sequence[RelativePosition]],
) -> tuple[Insertion, Signature] | Refused:
    added = added_attenuation(signature)
    if added < config.min_added_attenuation:
        return Refused(Reason.LOW_CONTRAST, f"{signature.id} adds {added:.3f} attenuation, at least {config.min_added_attenuation} shows")
    known = positions.get(signature.class_name, ())
    refusal = Refused(Reason.DOES_NOT_FIT, signature.id)
    for _ in range(config.attempts):
        params = config.variation.draw(signature, rng)
        scale = params.scale * config.pitch_ratio if target_length_px is None else scale_to_length(signature, target_length_px)
        params = replace(params, scale=scale)
        try:
            varied = vary(signature, params)
        except DataError as error:  # so large or so small that nothing can be made of it
            return Refused(Reason.DOES_NOT_FIT if scale > 1 else Reason.TOO_SMALL, str(error))
        found = place(
            bag,
            free,
            varied.mask,
            rng,
            mode=config.placement,
            positions=known,
            difficulty=config.difficulty,
            min_inside=config.min_inside,
            max_under_attenuation=config.max_under_attenuation,
        )
        if isinstance(found, Place):
            return _inserted(signature, params, found), varied
        refusal = Refused(found.reason, f"{signature.id} in {config.attempts} ways of lying ({found.detail})")
    return refusal


def _inserted(signature: Signature, params: VariationParams, spot: Place) -> Insertion:
    return Insertion(signature.id, params, spot.x, spot.y, round(spot.under, 4), round(spot.overlap, 4))


_added: WeakKeyDictionary[Signature, float] = WeakKeyDictionary()


def added_attenuation(signature: Signature) -> float:
    """Median attenuation, mean of the channels, over a signature's mask; remembered as long as the signature lives."""
    found = _added.get(signature)
    if found is None:
        found = _added[signature] = float(np.median(signature.image.attenuation().values.mean(axis=0)[signature.mask]))
    return found
