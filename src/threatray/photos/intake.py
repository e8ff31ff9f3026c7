"""From photos to object crops, one photo at a time, and which of them are copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import BoolArray, FloatArray, SetAside
from threatray.core.near_duplicates import near_duplicate_pairs, perceptual_hash
from threatray.errors import DataError
from threatray.photos.crop import ObjectCrop
from threatray.photos.matte import MatteMethod, matte
from threatray.photos.photo_file import PhotoFile, find_photos, read_mask, read_photo
from threatray.photos.rules import IntakeRules, Outlines
from threatray.photos.salience import salient_objects

_MARGIN_SHARE: Final = 0.06
_SIMILAR_SHARE: Final = 0.3
"""A piece of this share of the largest is an object of its own, not a part that came loose."""

_GAP_SHARE: Final = 0.015
"""Pieces this near (of the photo's longer side) are one object with a highlight between them."""

_CANDIDATE_BITS: Final = 12
_SAME_ASPECT: Final = 0.08
_THUMBNAIL: Final = 32

ProgressCallback = Callable[[int, int], None]
"""Called with (done, total)."""


@dataclass(frozen=True, eq=False)
class Intake:
    """What came out of a folder of photos.

    Args:
        crops: Accepted objects, sorted by id.
        rejected: Photos and crops that were left out, and why.
    """

    crops: tuple[ObjectCrop, ...]
    rejected: tuple[SetAside, ...]


def take_in(
    folder: Path, masks_folder: Path | None = None, rules: IntakeRules | None = None, progress: ProgressCallback | None = None
) -> Intake:
    """All photos below ``<folder>/<class>/`` as object crops, without copies.

    Args:
        folder: See ``find_photos``.
        masks_folder: See ``find_photos``.
        rules: Limits; the defaults if None.
        progress: Called with (done, total) photos.

    Returns:
        Crops and rejects; the same folder always gives the same.

    Raises:
        DataError: No photos.
    """
    rules = (rules or IntakeRules()).settled()
    photos, rejected = find_photos(folder, masks_folder, rules)
    taken: list[tuple[ObjectCrop, ...] | SetAside] = []
    for done, photo in enumerate(photos):
        if progress is not None:
            progress(done, len(photos))
        taken.append(take_in_photo(photo, rules))
    if progress is not None:
        progress(len(photos), len(photos))
    crops = [crop for one in taken if not isinstance(one, SetAside) for crop in one]
    refused = [one for one in taken if isinstance(one, SetAside)]
    kept, copies = drop_near_duplicates(crops, rules.duplicate_difference)
    return Intake(tuple(sorted(kept, key=lambda crop: crop.id)), (*rejected, *refused, *copies))


def take_in_photo(photo: PhotoFile, rules: IntakeRules) -> tuple[ObjectCrop, ...] | SetAside:
    """One photo as crops, one an object; pure, so that workers can share the photos.

    A mask file or an alpha channel is believed; without one the photo is matted.

    Args:
        photo: From ``find_photos``.
        rules: Limits, ``settled``.

    Returns:
        At least one crop, or why there is none.
    """
    try:
        return _crops(photo, rules)
    except (DataError, OSError) as error:
        return SetAside(photo.source_id, str(error))


def _crops(photo: PhotoFile, rules: IntakeRules) -> tuple[ObjectCrop, ...]:
    read = read_photo(photo.path)
    given = read.alpha if photo.mask_path is None else read_mask(photo.mask_path, read.pixels.shape[:2])
    network = rules.salient_model if rules.outlines is Outlines.SALIENT else None
    found = matte(read.pixels, given, salience=None if network is None else salient_objects(str(network)))
    if not found.mask.any():
        raise DataError("nothing stands out from the ground")
    coverage = float(found.mask.mean())
    if not rules.least_coverage <= coverage <= rules.most_coverage:
        raise DataError(
            f"the object covers {coverage:.1%} of the photo, accepted are {rules.least_coverage:.1%} to {rules.most_coverage:.1%}"
        )
    if found.method is not MatteMethod.GIVEN and _touches_all_sides(found.mask):
        raise DataError("the outline runs out of the photo on all four sides: ground and object are mixed up, or it is cut off")
    if found.quality < rules.least_quality:
        raise DataError(
            f"the outline has quality {found.quality:.2f}, under {rules.least_quality:.2f}: ground and object are too alike. Give a mask"
        )
    objects = _objects(found.mask) if rules.several_objects else _objects(found.mask)[:1]
    large = [mask for mask in objects if _longer_side(mask) >= rules.least_side]
    if not large:
        raise DataError(f"the object is {_longer_side(objects[0])} pixels long, under {rules.least_side}")
    names = [photo.id] if len(large) == 1 else [f"{photo.id}-{number}" for number in range(1, len(large) + 1)]
    return tuple(
        ObjectCrop(name, photo.class_name, *_cut(read.pixels, mask, rules.largest_side), photo.source_id, photo.provenance, found.quality)
        for name, mask in zip(names, large, strict=True)
    )


def _touches_all_sides(mask: BoolArray) -> bool:
    return bool(mask[0].any() and mask[-1].any() and mask[:, 0].any() and mask[:, -1].any())


def _longer_side(mask: BoolArray) -> int:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1)


def _objects(mask: BoolArray) -> list[BoolArray]:
    """The objects of a mask, from left to right; nearby pieces count as one, small ones are dropped."""
    import cv2

    radius = max(1, round(_GAP_SHARE * max(mask.shape)))
    bridge = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    padded = np.pad(mask.astype(np.uint8), radius)  # closing must not glue an object to the border
    joined = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, bridge)[radius:-radius, radius:-radius]
    count, labels = cv2.connectedComponents(joined, connectivity=8)
    pieces = [np.asarray(mask & (labels == number), np.bool_) for number in range(1, count)]
    pieces = [piece for piece in pieces if piece.any()]
    most = max(int(piece.sum()) for piece in pieces)
    large = [piece for piece in pieces if int(piece.sum()) >= _SIMILAR_SHARE * most]
    return sorted(large, key=lambda piece: (int(np.flatnonzero(piece.any(axis=0))[0]), int(np.flatnonzero(piece.any(axis=1))[0])))


def _cut(pixels: NDArray[np.uint8], mask: BoolArray, largest_side: int) -> tuple[NDArray[np.uint8], BoolArray]:
    """The object with a little ground around it, scaled down if it is large."""
    import cv2

    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    margin = max(2, round(_MARGIN_SHARE * _longer_side(mask)))
    window = (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + 1 + margin),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + 1 + margin),
    )
    cut, inside = np.ascontiguousarray(pixels[window]), np.ascontiguousarray(mask[window])
    shrink = largest_side / max(inside.shape)
    if shrink >= 1:
        return cut, inside
    size = (max(1, round(inside.shape[1] * shrink)), max(1, round(inside.shape[0] * shrink)))
    small = np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), np.uint8)
    return small, np.asarray(cv2.resize(inside.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5, np.bool_)


def drop_near_duplicates(
    crops: Sequence[ObjectCrop], most_difference: float = 0.025
) -> tuple[tuple[ObjectCrop, ...], tuple[SetAside, ...]]:
    """Keep the first of crops that show the same picture.

    Candidates share most of a perceptual hash; they are copies if their thumbnails agree too, because tools on white look alike
    to a hash.

    Args:
        crops: In the order of preference.
        most_difference: Mean absolute difference of 32x32 thumbnails where either shows the object, of full scale, up to which
            two are copies.

    Returns:
        The kept crops in their order, and the dropped ones, each with the crop it repeats.

    Example:
        >>> mask = np.zeros((37, 31), bool); mask[5:30, 8:20] = True
        >>> one = ObjectCrop("a", "gun", np.zeros((37, 31, 3), np.uint8), mask, "gun/a.jpg")
        >>> two = ObjectCrop("b", "gun", np.full((37, 31, 3), 4, np.uint8), mask, "gun/b.jpg")
        >>> kept, dropped = drop_near_duplicates([one, two])
        >>> [crop.id for crop in kept], [copy.item for copy in dropped]
        (['a'], ['gun/b.jpg'])
    """
    thumbnails = [_thumbnail(crop) for crop in crops]
    hashes = [perceptual_hash(np.rint(thumbnail.shown * 255).astype(np.uint8)) for thumbnail in thumbnails]
    dropped: dict[int, int] = {}
    for first, second in near_duplicate_pairs(hashes, most_bits=_CANDIDATE_BITS):
        if first in dropped or second in dropped or crops[first].source_id == crops[second].source_id:
            continue
        if thumbnails[first].difference(thumbnails[second]) <= most_difference:
            dropped[second] = first
    set_aside = []
    for second, first in sorted(dropped.items()):
        other = "" if crops[first].class_name == crops[second].class_name else f" of class {crops[first].class_name!r}"
        part = "" if crops[second].id in crops[second].source_id else f" (crop {crops[second].id})"
        set_aside.append(SetAside(crops[second].source_id, f"nearly the same picture as {crops[first].source_id}{other}{part}"))
    return tuple(crop for place, crop in enumerate(crops) if place not in dropped), tuple(set_aside)


@dataclass(frozen=True, eq=False)
class _Thumbnail:
    """An object on white, its box stretched to a square, with the proportions that this took."""

    shown: FloatArray
    weight: FloatArray
    log_aspect: float

    def difference(self, other: _Thumbnail) -> float:
        """Mean absolute difference where either object is: counting the white round thin tools would make them all alike."""
        if abs(self.log_aspect - other.log_aspect) > _SAME_ASPECT:
            return 1.0
        weight = np.maximum(self.weight, other.weight)
        return float((np.abs(self.shown - other.shown).mean(axis=2) * weight).sum() / weight.sum())


def _thumbnail(crop: ObjectCrop) -> _Thumbnail:
    import cv2

    rows, columns = np.flatnonzero(crop.mask.any(axis=1)), np.flatnonzero(crop.mask.any(axis=0))
    window = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    mask = crop.mask[window].astype(np.float32)
    shown = np.where(crop.mask[window][..., None], crop.pixels[window], np.uint8(255)).astype(np.float32) / np.float32(255)
    size = (_THUMBNAIL, _THUMBNAIL)
    small, weight = (cv2.resize(np.ascontiguousarray(plane), size, interpolation=cv2.INTER_AREA) for plane in (shown, mask))
    return _Thumbnail(small, weight, float(np.log(mask.shape[1] / mask.shape[0])))
