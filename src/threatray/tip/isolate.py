"""A labelled scan in, the threat's own transmission out: mask, guess the bag behind, divide it out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from threatray.core.annotations import box_of_mask
from threatray.core.image import COLOUR, TRANSMISSION_FLOOR, BoolArray, FloatArray, Quantity, XrayImage
from threatray.core.sample import Provenance, Sample
from threatray.core.signature import Origin, OriginKind, Signature
from threatray.errors import ConfigError, DataError
from threatray.tip.background import film_behind
from threatray.tip.denoise import without_photon_noise
from threatray.tip.match import levels_per_photon, strips_of
from threatray.tip.refusal import Reason, Refused
from threatray.tip.segment import threat_mask

_RING_PIXELS: Final = 4
_EIGHT_BIT_DARKEST: Final = 1 / 255
_BLACK_BELOW: Final = 0.1
_COLOURED_ABOVE: Final = 0.35
_AROUND: Final = 8
_FEWEST_AIR: Final = 400
_ONE_SIGMA_BELOW: Final = 0.1587
_NOISIEST_AIR: Final = 0.01  # a hundred photons a pixel: what looks like it is no noise


@dataclass(frozen=True)
class IsolateConfig:
    """How a threat is taken out of its bag.

    Args:
        margin_share: Width of the ring around the box, as a share of the box's long side.
        soft_edge: The mask is grown by this many pixels, so that the scan's own blur stays part of the signature.
        min_area: Fewest mask pixels.
        max_box_share: A guessed mask that fills more of its box than this is the box, not a thing.
        min_contrast: Least median attenuation that the threat adds, mean of the channels.
        darkest: Transmissions below this cannot be told from black in the scan; 1/255 for 8-bit pictures, smaller for 16 bit.
        denoise: Take the scan's photon noise out of signatures of one or two energies, as far as the scan shows how much there is, and
            note what is left. Colours count no photons, so theirs stays.
    """

    margin_share: float = 0.25
    soft_edge: int = 1
    min_area: int = 150
    max_box_share: float = 0.92
    min_contrast: float = 0.12
    darkest: float = _EIGHT_BIT_DARKEST
    denoise: bool = True

    def __post_init__(self) -> None:
        for name, low, high in (("margin_share", 0.02, 2.0), ("max_box_share", 0.05, 1.0), ("min_contrast", 0.0, 10.0)):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"isolate: {name} must lie in [{low}, {high}], got {getattr(self, name)}.")
        if not TRANSMISSION_FLOOR <= self.darkest < 1:
            raise ConfigError(f"isolate: darkest must lie in [{TRANSMISSION_FLOOR:.2g}, 1), got {self.darkest}.")
        if self.soft_edge < 0 or self.min_area < 1:
            raise ConfigError(f"isolate: soft_edge must be >= 0 and min_area >= 1, got {self.soft_edge} and {self.min_area}.")


@dataclass(frozen=True)
class Isolated:
    """A signature taken out of a scan, and how far to trust it.

    Args:
        signature: Cropped to its mask.
        quality: In [0, 1]: ``mask_overlap`` times the fourth root of the product of four figures, each 1 at best: contrast, calm of
            the ring, clearness of what lies behind, share not clipped.
        mask_overlap: Overlap (intersection over union) with the true mask to expect; 1 where the mask was given.
        contrast: Median attenuation that the threat adds.
        ring_roughness: Spread of the attenuation in the ring around the mask, in units of the contrast.
        behind: Median attenuation of the guessed bag behind the mask: dividing by something dark multiplies its noise.
        clipped_share: Share of mask pixels lighter than the bag guessed from the ring, where that guess must be wrong.
        box: Where the mask was in the scan, xyxy pixels.
        bag_behind: Transmission of the guessed bag in the signature's window, the scan's outside the mask and nowhere darker than it:
            multiplied with the signature it is the scan again, so it has the noise that was taken out of the signature.
    """

    signature: Signature
    quality: float
    mask_overlap: float
    contrast: float
    ring_roughness: float
    behind: float
    clipped_share: float
    box: tuple[float, float, float, float]
    bag_behind: XrayImage


def isolate(sample: Sample, index: int, config: IsolateConfig | None = None) -> Isolated | Refused:
    r"""Take one labelled threat out of its scan: :math:`T_{threat} = T_{scan} / \hat T_{bag}` inside the mask.

    Args:
        sample: A scan in transmission or attenuation (colour: ``as_channel_transmission``), with boxes; its mask is used
            where it has one, else guessed from the box.
        index: Which of the sample's annotations.
        config: Limits.

    Returns:
        The signature with its quality, named ``<sample id>-<index>``, or why it was refused.

    Raises:
        DataError: Pseudo-colour, an index that does not exist, a box outside the picture, a mask of another size.

    Note:
        The bag behind is guessed by a soap film over the ring and the openings that the mask closes over (``film_behind``), so an edge
        that runs under the threat stays in the signature.

    Example:
        >>> from threatray.core import GREY, Annotations
        >>> values = np.full((1, 80, 90), 0.8, np.float32); values[0, 30:50, 25:65] = 0.2
        >>> sample = Sample("s1", XrayImage(values, Quantity.TRANSMISSION, GREY),
        ...                 Annotations(np.array([[22, 27, 68, 53]], np.float32), ("gun",)), "bag-1")
        >>> found = isolate(sample, 0)
        >>> found.signature.id, f"{np.median(found.signature.image.values):.2f}", found.quality > 0.8
        ('s1-0', '0.25', True)
    """
    config = config or IsolateConfig()
    if not 0 <= index < len(sample.annotations):
        raise DataError(f"isolate {sample.id}: annotation {index} does not exist; the scan has {len(sample.annotations)}.")
    height, width = sample.image.size
    x0, y0, x1, y1 = (float(edge) for edge in sample.annotations.boxes[index])
    left, top, right, bottom = max(0, round(x0)), max(0, round(y0)), min(width, round(x1)), min(height, round(y1))
    if right <= left or bottom <= top:
        raise DataError(f"isolate {sample.id}: box {(x0, y0, x1, y1)} holds no pixel of the {width}x{height} scan.")
    ring = max(2 * _RING_PIXELS, round(config.margin_share * max(right - left, bottom - top)))
    rows, columns = slice(max(0, top - ring), bottom + ring), slice(max(0, left - ring), right + ring)
    crop = XrayImage(np.ascontiguousarray(sample.image.values[:, rows, columns]), sample.image.quantity, sample.image.channels)
    attenuation = np.minimum(crop.attenuation().values, np.float32(-np.log(config.darkest)))
    overlap = 1.0
    if sample.annotations.masks is not None:
        tall, wide = sample.annotations.masks.shape[1:]
        if (tall, wide) != (height, width):
            raise DataError(f"isolate {sample.id}: expected masks of {width}x{height} pixels as the scan has, got {wide}x{tall}.")
        mask = np.asarray(sample.annotations.masks[index][rows, columns])
    else:
        inside = np.zeros(crop.size, np.bool_)
        inside[top - rows.start : bottom - rows.start, left - columns.start : right - columns.start] = True
        if inside.all():
            return Refused(Reason.NO_RING, f"the box fills the {width}x{height} scan")
        if min(right - left, bottom - top) < 4:
            return Refused(Reason.TOO_SMALL, f"the box is {right - left}x{bottom - top} pixels")
        guess = threat_mask(attenuation, inside)
        mask, overlap = guess.mask, guess.expected_overlap
        if not mask.any():
            return Refused(Reason.NOTHING_STANDS_OUT, f"in the {right - left}x{bottom - top} box")
        share = float(mask.sum()) / float(inside.sum())
        if share > config.max_box_share:
            return Refused(Reason.TOO_LARGE, f"the mask fills {share:.0%} of its box, at most {config.max_box_share:.0%}")
    area = int(mask.sum())
    if area < config.min_area:
        return Refused(Reason.TOO_SMALL, f"{area} mask pixels, at least {config.min_area} are needed")
    mask = grown(mask, config.soft_edge)
    hole = grown(mask, 1)  # the mask's own rim still holds some of the threat
    rim = grown(hole, _RING_PIXELS) & ~hole
    if not rim.any():
        return Refused(Reason.NO_RING, f"the mask fills the {crop.width}x{crop.height} crop")
    smooth, noise_left = _quieter(crop, attenuation, mask, _photon(sample.image, config), config)
    behind, openings = film_behind(smooth, hole)
    added = smooth - (behind * _colour_worth(attenuation) if crop.channels == COLOUR else behind)
    around = (float(attenuation.mean(axis=0)[rim].std()), float(np.median(behind.mean(axis=0)[mask])))
    origin = Origin(OriginKind.REAL, sample.id, sample.group, provenance=sample.provenance)
    noise = None if noise_left is None else _median(noise_left * np.exp(behind), mask)
    made = _signature(f"{sample.id}-{index}", added, mask, crop.channels, sample.annotations.labels[index], origin, noise)
    bag = np.where(mask, np.minimum(behind + (attenuation - smooth), attenuation), attenuation).astype(np.float32)
    return _judge(made, (added, bag), (mask, openings), around, (columns.start, rows.start), config, overlap)


def isolate_in_air(
    image: XrayImage, sample_id: str, class_name: str, group: str, config: IsolateConfig | None = None, provenance: Provenance | None = None
) -> Isolated | Refused:
    """Take a threat that was scanned alone: nothing is behind it, so its transmission is the scan's.

    Args:
        image: The scan in transmission or attenuation, air around the threat.
        sample_id: Names the signature.
        class_name: The threat's class.
        group: The physical object.
        config: Limits; ``min_contrast`` also says what is not air.
        provenance: Where the scan came from.

    Returns:
        The signature, or why it was refused.

    Raises:
        DataError: Pseudo-colour.

    Example:
        >>> values = np.ones((2, 40, 50), np.float32); values[:, 10:30, 10:40] = 0.3
        >>> image = XrayImage(values, Quantity.TRANSMISSION, ("low_energy", "high_energy"))
        >>> found = isolate_in_air(image, "k1", "knife", "k1")
        >>> found.signature.image.size, f"{found.contrast:.3f}"
        ((22, 32), '1.204')
    """
    import cv2

    config = config or IsolateConfig()
    attenuation = np.minimum(image.attenuation().values, np.float32(-np.log(config.darkest)))
    mean = attenuation.mean(axis=0)
    air = mean[mean <= np.median(mean)]
    # Half of the median above the noise of the lighter half: thin polymer is in, air is out.
    level = max(0.03, min(config.min_contrast / 2, float(np.median(air) + 4.45 * np.median(np.abs(air - np.median(air))))))
    count, labels, stats, _ = cv2.connectedComponentsWithStats((mean > level).astype(np.uint8), connectivity=8)
    if count <= 1:
        return Refused(Reason.NOTHING_STANDS_OUT, f"no pixel attenuates by more than {level:.3f}")
    if float((mean > level).mean()) > config.max_box_share:
        return Refused(Reason.NO_RING, f"there is no air around it: all but {float((mean <= level).mean()):.0%} attenuates")
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    mask = np.asarray((areas >= 0.05 * areas.max())[labels], np.bool_)
    if int(mask.sum()) < config.min_area:
        return Refused(Reason.TOO_SMALL, f"{int(mask.sum())} mask pixels, at least {config.min_area} are needed")
    mask = grown(mask, config.soft_edge)
    origin = Origin(OriginKind.REAL, sample_id, group, provenance=provenance or Provenance())
    photon = _photon(image, config) or _photon_of_air(image, ~grown(mask, _RING_PIXELS), config)
    smooth, noise_left = _quieter(image, attenuation, mask, photon, config)
    noise = None if noise_left is None else _median(noise_left, mask)
    made = _signature(sample_id, smooth, mask, image.channels, class_name, origin, noise)
    masks = (mask, np.zeros_like(mask))
    return _judge(made, (smooth, np.maximum(attenuation - smooth, 0)), masks, (0.0, 0.0), (0, 0), config, 1.0)


def _photon(image: XrayImage, config: IsolateConfig) -> tuple[float, ...]:
    """What one photon adds to a scan's transmission; empty where its noise is to stay or cannot be told."""
    if not config.denoise or len(image.channels) > 2:
        return ()
    found = levels_per_photon(strips_of(image.transmission().values), np.ones(len(image.channels), np.float32))
    return found if all(found) else ()


def _photon_of_air(image: XrayImage, air: BoolArray, config: IsolateConfig) -> tuple[float, ...]:
    """The same by the noise of empty air, where a threat alone is too small to tell: variance is the photon where the mean is 1.

    Scanners cut counts off at white, so only the darker side says how wide air is spread.
    """
    if not config.denoise or len(image.channels) > 2 or int(air.sum()) < _FEWEST_AIR:
        return ()
    middle, dark = np.quantile(image.transmission().values[:, air], (0.5, _ONE_SIGMA_BELOW), axis=1)
    found = tuple(float(f"{each:.4g}") for each in (middle - dark) ** 2)
    return found if all(0 < each <= _NOISIEST_AIR for each in found) else ()


def _quieter(
    image: XrayImage, attenuation: FloatArray, mask: BoolArray, photon: tuple[float, ...], config: IsolateConfig
) -> tuple[FloatArray, FloatArray | None]:
    """A scan's attenuation, at and around the mask without what its photons explain, and the photon that would make the noise that is left.

    As it was, and None, where the photon is not known.
    """
    if not photon:
        return attenuation, None
    x0, y0, x1, y1 = (int(edge) for edge in box_of_mask(mask))
    near = np.s_[:, max(0, y0 - _AROUND) : y1 + _AROUND, max(0, x0 - _AROUND) : x1 + _AROUND]
    smooth, left = attenuation.copy(), np.zeros_like(attenuation)
    plain, share = without_photon_noise(np.ascontiguousarray(image.transmission().values[near]), photon)
    smooth[near] = np.minimum(-np.log(plain), np.float32(-np.log(config.darkest)))
    left[near] = share * np.array(photon, np.float32).reshape(-1, 1, 1)
    return smooth, left


def _median(values: FloatArray, mask: BoolArray) -> tuple[float, ...]:
    return tuple(float(f"{np.median(channel[mask]):.4g}") for channel in values)


def _colour_worth(attenuation: FloatArray) -> FloatArray:
    """How much a coloured pixel still says, from 0 for black to 1.

    A palette paints all that is dense black. Dividing black by a green bag would make it magenta; black stays black.
    """
    brightest = np.exp(-attenuation.min(axis=0))
    worth: FloatArray = np.clip((brightest - _BLACK_BELOW) / (_COLOURED_ABOVE - _BLACK_BELOW), 0, 1).astype(np.float32)
    return worth


def _signature(
    name: str,
    added: FloatArray,
    mask: BoolArray,
    channels: tuple[str, ...],
    class_name: str,
    origin: Origin,
    noise: tuple[float, ...] | None = None,
) -> Signature:
    values = np.where(mask, np.clip(np.exp(-added), TRANSMISSION_FLOOR, 1.0), 1.0).astype(np.float32)
    return Signature(name, XrayImage(values, Quantity.TRANSMISSION, channels), mask, class_name, origin, noise=noise)


def _judge(
    made: Signature,
    layers: tuple[FloatArray, FloatArray],
    masks: tuple[BoolArray, BoolArray],
    around: tuple[float, float],
    offset: tuple[int, int],
    config: IsolateConfig,
    overlap: float,
) -> Isolated | Refused:
    (added, bag), (mask, openings) = layers, masks
    inside = added.mean(axis=0)[mask]
    contrast = float(np.median(inside))
    if contrast < config.min_contrast:
        return Refused(Reason.LOW_CONTRAST, f"adds {contrast:.3f} attenuation, at least {config.min_contrast} is needed")
    clipped = float(((inside < -0.05 * contrast) | openings[mask]).mean())
    roughness, behind = around[0] / contrast, around[1]
    parts = (1 - float(np.exp(-contrast / 0.3)), float(np.exp(-roughness)), float(np.exp(-behind / 2)), 1 - clipped)
    quality = overlap * float(np.prod(parts)) ** (1 / len(parts))
    x0, y0, x1, y1 = box_of_mask(mask)
    window = np.exp(-bag[:, int(y0) : int(y1), int(x0) : int(x1)])
    behind_image = XrayImage(np.clip(window, TRANSMISSION_FLOOR, 1.0).astype(np.float32), Quantity.TRANSMISSION, made.image.channels)
    box = (x0 + offset[0], y0 + offset[1], x1 + offset[0], y1 + offset[1])
    return Isolated(crop_to_mask(made), quality, overlap, contrast, roughness, behind, clipped, box, behind_image)


def crop_to_mask(signature: Signature) -> Signature:
    """The same signature without the empty rows and columns around its mask.

    Example:
        >>> values = np.ones((1, 9, 9), np.float32); values[0, 2:5, 3:8] = 0.5
        >>> thing = Signature("a", XrayImage(values, Quantity.TRANSMISSION, ("grey",)), values[0] < 1, "gun",
        ...                   Origin(OriginKind.RENDERED, "a", "a"))
        >>> crop_to_mask(thing).image.size
        (3, 5)
    """
    x0, y0, x1, y1 = (int(edge) for edge in box_of_mask(signature.mask))
    if (x0, y0, x1, y1) == (0, 0, signature.image.width, signature.image.height):
        return signature
    values = np.ascontiguousarray(signature.image.values[:, y0:y1, x0:x1])
    image = XrayImage(values, Quantity.TRANSMISSION, signature.image.channels)
    mask = np.ascontiguousarray(signature.mask[y0:y1, x0:x1])
    grain = None if signature.grain is None else np.ascontiguousarray(signature.grain[:, y0:y1, x0:x1])
    return replace(signature, image=image, mask=mask, grain=grain)


def grown(mask: BoolArray, pixels: int) -> BoolArray:
    """The mask with everything within so many pixels of it."""
    import cv2

    if pixels == 0:
        return mask
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel), np.bool_)
