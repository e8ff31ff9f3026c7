"""Projection into a bag as it is stored, 8 or 16 bit: only the signature's window is touched, everything else is the bag's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from threatray.core.annotations import Annotations, box_of_mask
from threatray.core.image import COLOUR, DUAL_ENERGY, BoolArray, FloatArray
from threatray.core.seeding import stream
from threatray.core.signature import Signature
from threatray.errors import DataError
from threatray.tip.compose import CHANGE_EPSILON, SEEN, CompositeParams, Insertion, Lookup, insertion_order, visible_mask
from threatray.tip.match import MissingNoise, levels_per_photon, own_noise, strips_of
from threatray.tip.vary import vary

Levels = NDArray[Any]
"""(C, h, w) uint8 or uint16."""


@dataclass(frozen=True, eq=False)
class StoredScan:
    """A scan's pixels as they are stored, and what its channels are.

    Args:
        levels: (C, H, W) uint8 or uint16, of any strides: ``pixels.transpose(2, 0, 1)`` of a colour picture costs nothing.
        channels: One name a channel.

    Raises:
        DataError: Another dtype or shape.

    Example:
        >>> StoredScan(np.zeros((2, 4, 5), np.uint16), ("low_energy", "high_energy")).size
        (4, 5)
    """

    levels: Levels
    channels: tuple[str, ...]

    def __post_init__(self) -> None:
        levels = self.levels
        if levels.ndim != 3 or levels.dtype not in (np.uint8, np.uint16) or levels.size == 0:
            raise DataError(f"stored scan: expected uint8 or uint16 of shape (C, H, W), got {levels.dtype} {levels.shape}.")
        if len(self.channels) != len(levels):
            raise DataError(f"stored scan: {len(levels)} channels but {len(self.channels)} channel names {self.channels}.")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return int(self.levels.shape[1]), int(self.levels.shape[2])


class Law(Protocol):
    """How a transmission changes stored levels."""

    def signature_channels(self, channels: tuple[str, ...]) -> tuple[str, ...]:
        """The channels that a signature must have to go into a scan of these."""
        ...

    def photon(self, levels: Levels, air: FloatArray) -> tuple[float, ...]:
        """Levels of one photon in each of the signature's channels (``match.levels_per_photon``); none where no law says how noisy
        a composite is.
        """
        ...

    def put(self, window: Levels, transmission: FloatArray, grain: FloatArray | None = None, noise: MissingNoise | None = None) -> Levels:
        """The window's levels with the transmission in the beam; where it is 1 in every channel the levels are returned as they are.

        ``grain`` is the (3, h, w) colour of the threats' own scans that their attenuations do not explain, for laws that know it.
        """
        ...


@dataclass(frozen=True)
class ChannelLaw:
    r"""Levels times transmission, channel by channel, rounded once: :math:`n' = \mathrm{round}(n\,T)`.

    Exact within half a level for counts that are proportional to the transmission (grey and dual energy, whatever the white
    level); for pseudo-colour the approximation that treats red, green and blue as three energies.

    Example:
        >>> ChannelLaw().put(np.array([[[60000, 101]]], np.uint16), np.array([[[0.5, 1.0]]], np.float32)).tolist()
        [[[30000, 101]]]
    """

    def signature_channels(self, channels: tuple[str, ...]) -> tuple[str, ...]:
        """The scan's own."""
        return channels

    def photon(self, levels: Levels, air: FloatArray) -> tuple[float, ...]:
        """Of counts as the scan shows; none for colours, which are no counts."""
        return () if len(levels) == 3 else levels_per_photon(strips_of(levels), air)

    def put(self, window: Levels, transmission: FloatArray, grain: FloatArray | None = None, noise: MissingNoise | None = None) -> Levels:
        """See ``Law``."""
        if window.dtype == np.uint8 and len(window) == 3:
            return self._put_colours(window, transmission)
        # Sixteen-bit levels are rounded from double precision: nothing but the rounding itself may cost a part of a level.
        product = np.multiply(window, transmission, dtype=np.float32 if window.dtype == np.uint8 else np.float64)
        if noise is not None:
            product = noise.added_to(product, window)
        made: Levels = np.rint(product, out=product).astype(window.dtype)
        return made

    @staticmethod
    def _put_colours(window: Levels, transmission: FloatArray) -> Levels:
        """The same in one sweep over pixels whose three bytes lie side by side, as decoders give them."""
        import cv2

        product = cv2.multiply(np.ascontiguousarray(window.transpose(1, 2, 0)), cv2.merge(list(transmission)), dtype=cv2.CV_8U)
        return np.asarray(product.transpose(2, 0, 1))


class ColourWindow(Protocol):
    """Projects attenuations into a pseudo-colour window by way of its two energies."""

    def window(
        self, bag: NDArray[np.uint8], added: FloatArray, grain: FloatArray | None = None, noise: MissingNoise | None = None
    ) -> NDArray[np.uint8]:
        """(h, w, 3) levels with (2, h, w) low- and high-energy attenuations in the beam, and (3, h, w) of the threats' own grain."""
        ...

    def photon(self, levels: NDArray[np.uint8]) -> tuple[float, ...]:
        """What one photon adds to the transmission of either energy."""
        ...


@dataclass(frozen=True)
class EnergyLaw:
    """Pseudo-colour by way of the two energies behind it: colour to energies, law, and back to colour, with one scanner's palette.

    Args:
        colours: Who knows the palette.
    """

    colours: ColourWindow

    def signature_channels(self, channels: tuple[str, ...]) -> tuple[str, ...]:
        """The two energies, whatever the scan shows.

        Raises:
            DataError: The scan is not in colour.
        """
        if channels != COLOUR:
            raise DataError(f"projection by energies is for scans in colour, got channels {channels}. Use the channels' own law.")
        return DUAL_ENERGY

    def photon(self, levels: Levels, air: FloatArray) -> tuple[float, ...]:
        """Of the two energies behind the colours."""
        return self.colours.photon(levels)

    def put(self, window: Levels, transmission: FloatArray, grain: FloatArray | None = None, noise: MissingNoise | None = None) -> Levels:
        """See ``Law``."""
        added = np.maximum(-np.log(transmission), 0).astype(np.float32)
        made = self.colours.window(np.ascontiguousarray(window.transpose(1, 2, 0)), added, grain, noise)
        return made.transpose(2, 0, 1)


@dataclass(frozen=True, eq=False)
class WindowMask:
    """One thing's mask, in its own window of the picture.

    Args:
        label: Class name.
        x: Column of the window's left edge.
        y: Row of the window's top edge.
        amodal: (h, w) bool, the whole thing.
        seen: Gives the (h, w) bool pixels of the window that change what the screen shows; asked only when somebody wants to know.
    """

    label: str
    x: int
    y: int
    amodal: BoolArray
    seen: Callable[[], BoolArray] = field(repr=False)

    @cached_property
    def visible(self) -> BoolArray:
        """(h, w) bool, the part of the thing that changes what the screen shows."""
        return self.amodal & self.seen()

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Tight box of the amodal mask, xyxy in the picture's pixels."""
        x0, y0, x1, y1 = box_of_mask(self.amodal)
        return x0 + self.x, y0 + self.y, x1 + self.x, y1 + self.y

    def full(self, mask: BoolArray, size: tuple[int, int]) -> BoolArray:
        """One of the masks in the frame of a picture of this (height, width)."""
        whole = np.zeros(size, np.bool_)
        whole[self.y : self.y + mask.shape[0], self.x : self.x + mask.shape[1]] = mask
        return whole


@dataclass(frozen=True, eq=False)
class LevelsComposite:
    """A stored bag with threats in it, and the truth about them.

    Args:
        levels: (C, H, W), dtype and memory order of the bag's.
        things: One for each insertion, in their order.
        params: What was projected where.
        placed: The varied signatures, in the insertions' order: the threats alone.
    """

    levels: Levels
    things: tuple[WindowMask, ...]
    params: CompositeParams
    placed: tuple[Signature, ...]

    def annotations(self) -> Annotations:
        """Boxes, labels, amodal and visible masks as full pictures."""
        size = (int(self.levels.shape[1]), int(self.levels.shape[2]))
        boxes = np.array([thing.box for thing in self.things], np.float32).reshape(-1, 4)
        labels = tuple(thing.label for thing in self.things)
        if not self.things:
            return Annotations(boxes, labels)
        masks, visible = (
            np.stack([thing.full(mask, size) for thing, mask in zip(self.things, each, strict=True)])
            for each in ([thing.amodal for thing in self.things], [thing.visible for thing in self.things])
        )
        return Annotations(boxes, labels, masks, visible)


def compose_levels(bag: StoredScan, params: CompositeParams, lookup: Lookup, law: Law = ChannelLaw()) -> LevelsComposite:
    """Carry out what was drawn, on the levels as stored.

    Args:
        bag: The bag that the parameters were drawn for.
        params: What ``draw_composite`` gave, or read back from JSON.
        lookup: From signature id to signature.
        law: How a transmission changes stored levels.

    Returns:
        The composite, with the photon noise that noise-free threats lack where the parameters know the scanner's. Threats that lie
        over each other are multiplied first and rounded once, in an order of their own, so that the order of the insertions does
        not matter to a bit. Pixels that no threat covers are the bag's bit for bit.

    Raises:
        DataError: A window outside the bag, other channels, or a signature that changes nothing.

    Example:
        >>> from threatray.core import GREY, Origin, OriginKind, Quantity, XrayImage
        >>> from threatray.tip.vary import VariationParams
        >>> image = XrayImage(np.full((1, 1, 1), 0.25, np.float32), Quantity.TRANSMISSION, GREY)
        >>> gun = Signature("g", image, np.ones((1, 1), bool), "gun", Origin(OriginKind.RENDERED, "g", "g"))
        >>> bag = StoredScan(np.full((1, 1, 3), 40000, np.uint16), GREY)
        >>> params = CompositeParams("bag", (Insertion("g", VariationParams(), 1, 0),))
        >>> compose_levels(bag, params, lambda _: gun).levels.tolist()
        [[[40000, 10000, 40000]]]
    """
    placed = [(insertion, vary(lookup(insertion.signature_id), insertion.variation)) for insertion in params.insertions]
    expected = law.signature_channels(bag.channels)
    windows = [_window(bag, expected, insertion, varied) for insertion, varied in placed]
    levels = np.copy(bag.levels, order="K")
    seen: dict[int, Callable[[], BoolArray]] = {}
    for number, members in enumerate(_clusters(windows)):
        frame = _around([windows[member] for member in members])
        # Pixel by pixel in memory, as colour pictures are: what follows then runs in single sweeps.
        before = np.ascontiguousarray(bag.levels[:, frame[0], frame[1]].transpose(1, 2, 0)).transpose(2, 0, 1)
        layers = {member: (*_within(windows[member], frame), placed[member][1].image.values, placed[member][1].grain) for member in members}
        order = sorted(members, key=lambda member: insertion_order(placed[member][0]))
        ordered = [layers[member] for member in order]
        total = _product(ordered, len(expected), before.shape[1:])
        known = [(layers[member], own) for member in order if (own := own_noise(placed[member][1])) is not None]
        noise = None
        if params.levels_per_photon and known:
            rng = stream(params.finish_seed, "noise", number)
            quiet = _product([layer for layer, _ in known], len(expected), before.shape[1:])
            noise = MissingNoise(params.levels_per_photon, quiet, rng, _held(known, before.shape[1:]))
        after = law.put(before, total, _grain_of(ordered, before.shape[1:]), noise)
        for member in members:
            others = [layers[other] for other in order if other != member]
            seen[member] = partial(_seen_alone, law, before, after, others, layers[member])
        levels[:, frame[0], frame[1]] = after
    things = []
    for member, (insertion, varied) in enumerate(placed):
        amodal = visible_mask(varied)
        if not amodal.any():
            raise DataError(f"{varied.id}: nowhere adds more than {CHANGE_EPSILON} attenuation, so it is invisible and has no box.")
        things.append(WindowMask(varied.class_name, insertion.x, insertion.y, amodal, seen[member]))
    return LevelsComposite(levels, tuple(things), params, tuple(varied for _, varied in placed))


_Window = tuple[slice, slice]
_Layer = tuple[slice, slice, FloatArray, FloatArray | None]


def _window(bag: StoredScan, expected: tuple[str, ...], insertion: Insertion, varied: Signature) -> _Window:
    if varied.image.channels != expected:
        raise DataError(f"projecting {varied.id}: the bag takes channels {expected}, the signature has {varied.image.channels}.")
    (height, width), (rows, columns), x, y = varied.image.size, bag.size, insertion.x, insertion.y
    if not (0 <= x <= columns - width and 0 <= y <= rows - height):
        raise DataError(f"projecting {varied.id}: its {width}x{height} window at ({x}, {y}) leaves the {columns}x{rows} scan.")
    return slice(y, y + height), slice(x, x + width)


def _clusters(windows: Sequence[_Window]) -> list[list[int]]:
    """Windows that lie over each other, together; most lie alone. By their places, so that the order given is forgotten."""
    clusters: list[tuple[_Window, list[int]]] = []
    for number, window in enumerate(windows):
        members = [number]
        while touching := [each for each in clusters if _overlap(each[0], window)]:
            for each in touching:
                clusters.remove(each)
                members += each[1]
                window = _around([window, each[0]])
        clusters.append((window, members))
    clusters.sort(key=lambda each: (each[0][0].start, each[0][1].start))
    return [sorted(members) for _, members in clusters]


def _overlap(one: _Window, other: _Window) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(one, other, strict=True))


def _around(windows: Sequence[_Window]) -> _Window:
    rows, columns = zip(*windows, strict=True)
    return (
        slice(min(one.start for one in rows), max(one.stop for one in rows)),
        slice(min(one.start for one in columns), max(one.stop for one in columns)),
    )


def _within(window: _Window, frame: _Window) -> _Window:
    (rows, columns), (top, left) = window, (frame[0].start, frame[1].start)
    return slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)


def _product(layers: Sequence[_Layer], channels: int, size: tuple[Any, ...]) -> FloatArray:
    """Transmissions multiplied in the order given, 1 where there are none."""
    if len(layers) == 1 and layers[0][2].shape[1:] == size:
        return layers[0][2]
    total = np.ones((channels, *size), np.float32)
    for rows, columns, transmission, _ in layers:
        total[:, rows, columns] *= transmission
    return total


def _held(known: Sequence[tuple[_Layer, tuple[float, ...]]], size: tuple[Any, ...]) -> FloatArray | None:
    """Variance of ln T that the threats have of their own, added in the order given; None where they have none."""
    noisy = [(layer, own) for layer, own in known if any(own)]
    if not noisy:
        return None
    total = np.zeros((len(noisy[0][1]), *size), np.float32)
    for (rows, columns, transmission, _), own in noisy:
        share = np.array(own, np.float32).reshape(-1, 1, 1) / transmission
        total[:, rows, columns] += np.where(transmission < 1, share, 0)
    return total


def _grain_of(layers: Sequence[_Layer], size: tuple[Any, ...]) -> FloatArray | None:
    """Grains added in the order given, 0 where there is none."""
    grainy = [(rows, columns, grain) for rows, columns, _, grain in layers if grain is not None]
    if not grainy:
        return None
    if len(grainy) == 1 and grainy[0][2].shape[1:] == size:
        return grainy[0][2]
    total = np.zeros((3, *size), np.float32)
    for rows, columns, grain in grainy:
        total[:, rows, columns] += grain
    return total


def _seen_alone(law: Law, before: Levels, after: Levels, others: Sequence[_Layer], layer: _Layer) -> BoolArray:
    """Where a threat changes what the bag and the threats over it show."""
    rows, columns, transmission, _ = layer
    size = before.shape[1:]
    without = law.put(before, _product(others, len(transmission), size), _grain_of(others, size)) if others else before
    return _seen(without[:, rows, columns], after[:, rows, columns])


def _seen(without: Levels, with_it: Levels) -> BoolArray:
    import cv2

    least = int(np.ceil(SEEN * np.iinfo(without.dtype).max))
    # Pixel by pixel if they lie so in memory: reducing over three neighbours is slow.
    changes = cv2.split(cv2.absdiff(*(np.ascontiguousarray(levels.transpose(1, 2, 0)) for levels in (without, with_it))))
    most = changes[0]
    for change in changes[1:]:
        most = cv2.max(most, change)
    return np.asarray(most >= least, np.bool_)
