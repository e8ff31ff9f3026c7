"""What a translator can suffer from while its losses look well: a detector for each disease, with a stated limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from threatray.synthesis.domain import DomainSet
from threatray.synthesis.findings import Disease, Finding, HealthLimits
from threatray.synthesis.step import CycleGanNets

_CELL: Final = 2
"""Objects are compared in cells of this many pixels a side."""
_MOST_COMPARED: Final = 96
_PERIODS: Final = (2, 4)
"""Pixels between repeats of what upsampling by 2 and by 4 leaves."""


class Judging(Protocol):
    """Networks of a training: ``gen_ab`` translates, ``disc_b`` judges; without a way back nothing can be hidden in the X-ray."""

    @property
    def gen_ab(self) -> torch.nn.Module:
        """Photo to X-ray."""
        ...

    @property
    def disc_b(self) -> torch.nn.Module:
        """Judges X-rays."""
        ...


def drawn(encoded: torch.Tensor, mask: torch.Tensor) -> float:
    """Mean distance from air (+1) over the objects.

    Example:
        >>> drawn(torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4))
        1.0
    """
    return float(((1.0 - encoded) * mask).sum() / (mask.sum() * encoded.shape[1]).clamp(min=1e-6))


def draws_nothing(fake_b: torch.Tensor, mask_a: torch.Tensor, signatures: DomainSet, limits: HealthLimits) -> Finding:
    """Whether the generator makes nearly empty X-rays."""
    image, mask = _parts(signatures)
    share = drawn(fake_b, mask_a) / max(drawn(image, mask), 1e-6)
    return Finding(
        Disease.DRAWS_NOTHING,
        share,
        limits.least_drawn,
        False,
        "what the translations hold, as a share of what real signatures hold",
        "The X-ray discriminator has won: lower lr_discriminators, give more signatures, or train with another seed.",
    )


def mode_collapse(fake_b: torch.Tensor, photos: DomainSet, signatures: DomainSet, limits: HealthLimits) -> Finding:
    """Whether all translations of a class look alike inside, whatever photo they are of.

    Silhouettes are given by the photos, so they are left out: objects are compared cell by cell where both of them are.
    """
    mine, theirs = [], []
    real, real_mask = _parts(signatures)
    made_cells, real_cells = _cells(fake_b, photos.tensors[:, -1:]), _cells(real, real_mask)
    for index in range(len(photos.class_names)):
        a, b = _evenly(photos.of_class(index)), _evenly(signatures.of_class(index))
        if len(a) > 1 and len(b) > 1:
            each = [_mean_off_diagonal(_distances(_some(made_cells, a), _some(made_cells, a)))]
            each.append(_mean_off_diagonal(_distances(_some(real_cells, b), _some(real_cells, b))))
            if np.isfinite(each).all():
                mine.append(each[0])
                theirs.append(each[1])
    spread = float(np.mean(theirs)) if theirs else 0.0
    return Finding(
        Disease.MODE_COLLAPSE,
        float(np.mean(mine)) / spread if spread > 1e-6 else None,
        limits.least_diversity,
        False,
        "how much translations of one class differ inside, as a share of how much real signatures do",
        "Give more varied photos, a larger pool_size or augmentation, or lower lr_discriminators.",
    )


def steganography(nets: CycleGanNets, fake_b: torch.Tensor, photos: DomainSet, limits: HealthLimits, seed: int) -> Finding:
    """Whether the photo is hidden in the X-ray, where the way back finds it and no one else sees it.

    A few grey levels of noise are put on the X-ray before the way back. An X-ray that shows what the photo needs gives it back nearly as
    well; one that hides it gives back rubbish.

    Source:
        Chu, Zhmoginov and Sandler, "CycleGAN, a Master of Steganography", 2017.
    """
    image, mask = _parts(photos)
    noise = torch.randn(fake_b.shape, generator=torch.Generator().manual_seed(seed % 2**63)) * limits.noise * mask
    with torch.no_grad():
        clean = nets.gen_ba(fake_b, mask, photos.class_index)
        noisy = nets.gen_ba((fake_b + noise).clamp(-1.0, 1.0), mask, photos.class_index)
    inside = (mask >= 0.999).to(image.dtype)
    area = inside.sum().clamp(min=1e-6)
    errors = [float(((made - image).abs() * inside).sum() / (area * image.shape[1])) for made in (clean, noisy)]
    amplitude = float((noise.abs() * inside).sum() / (area * fake_b.shape[1]))
    return Finding(
        Disease.STEGANOGRAPHY,
        (errors[1] - errors[0]) / max(amplitude, 1e-9),
        limits.most_gain,
        True,
        f"how much worse the photo comes back for each unit of noise on the X-ray; without noise it comes back to {errors[0]:.3f}",
        "Lower weights.lambda_cycle_a: a photo that must come back exactly has to be hidden somewhere.",
    )


def memorised(
    fake_b: torch.Tensor, photos: DomainSet, learned_from: DomainSet, held_back: DomainSet | None, limits: HealthLimits
) -> Finding:
    """Whether translations are copies of signatures that the training saw.

    The yardstick is how near real signatures that were held back lie to those that were seen; without held-back ones, how near the seen
    ones lie to one another.
    """
    real_cells = _cells(*_parts(learned_from))
    made_cells = _cells(fake_b, photos.tensors[:, -1:])
    other_cells = None if held_back is None else _cells(*_parts(held_back))
    mine: list[float] = []
    theirs: list[float] = []
    for index in range(len(photos.class_names)):
        a, b = photos.of_class(index), learned_from.of_class(index)
        other = np.empty(0, np.int64) if held_back is None else held_back.of_class(index)
        if not len(a) or not len(b) or (not len(other) and len(b) < 2):
            continue
        seen = _some(real_cells, b)
        mine += _distances(_some(made_cells, a), seen).min(axis=1).tolist()
        if other_cells is not None and len(other):
            theirs += _distances(_some(other_cells, other), seen).min(axis=1).tolist()
        else:
            rows = _evenly(np.arange(len(b)))
            among = _distances(_some(seen, rows), seen)
            among[np.arange(len(rows)), rows] = np.inf  # not the distance to itself
            theirs += among.min(axis=1).tolist()
    mine, theirs = ([one for one in some if np.isfinite(one)] for some in (mine, theirs))  # objects that share no cell say nothing
    yardstick = float(np.median(theirs)) if theirs and mine else 0.0
    among_what = "held-back real signatures" if held_back is not None else "the real signatures among themselves"
    return Finding(
        Disease.MEMORISED,
        float(np.median(mine)) / yardstick if yardstick > 1e-6 else None,
        limits.least_distance,
        False,
        f"distance of a translation to the nearest signature it learned from, as a share of that of {among_what}",
        "Give more signatures, augment them (augment.density, augment.scale), take a smaller preset, or stop earlier.",
    )


def checkerboard(fake_b: torch.Tensor, mask_a: torch.Tensor, signatures: DomainSet, limits: HealthLimits) -> Finding:
    """Whether upsampling has left a grid: the energy of what repeats every 2 or 4 pixels inside objects, beyond chance.

    Source:
        Odena, Dumoulin and Olah, "Deconvolution and Checkerboard Artifacts", 2016.
    """
    real, real_mask = _parts(signatures)
    patterns, details = [], []
    for period in _PERIODS:
        locked, _ = _pattern(fake_b, mask_a, period)
        by_nature, detail = _pattern(real, real_mask, period)
        if locked is not None and detail is not None and by_nature is not None:
            patterns.append(max(0.0, locked - max(by_nature, 0.0)))
            details.append(detail)
    least = (1 / 127.5) ** 2  # real signatures without any detail leave one grey level of 255 to compare with
    return Finding(
        Disease.CHECKERBOARD,
        max(pattern / max(detail, least) for pattern, detail in zip(patterns, details, strict=True)) if patterns else None,
        limits.most_pattern,
        True,
        "energy of what repeats every 2 or 4 pixels, as a share of the fine detail of real signatures",
        "Train longer, or take a preset that upsamples by pixel shuffle or interpolation (tiny, base).",
    )


def imbalance(nets: Judging, fake_b: torch.Tensor, photos: DomainSet, signatures: DomainSet, limits: HealthLimits) -> Finding:
    """Whether the X-ray discriminator tells real from made so surely that the generator can learn nothing from it."""
    real, real_mask = _parts(signatures)
    with torch.no_grad():
        on_real = nets.disc_b(real, real_mask, signatures.class_index)
        on_fake = nets.disc_b(fake_b, photos.tensors[:, -1:], photos.class_index)
    chances = [
        _preferred(_covered(head_real, real_mask), _covered(head_fake, photos.tensors[:, -1:]))
        for head_real, head_fake in zip(on_real, on_fake, strict=True)
    ]
    return Finding(
        Disease.IMBALANCE,
        float(np.mean(chances)),
        limits.most_told_apart,
        True,
        "chance that the X-ray discriminator prefers a real patch to a made one; one half is a draw",
        "Lower lr_discriminators, raise lr_generators, or give more signatures.",
    )


def examine_health(
    nets: Judging,
    translator: torch.nn.Module,
    photos: DomainSet,
    learned_from: DomainSet,
    held_back: DomainSet | None = None,
    *,
    seed: int = 0,
    limits: HealthLimits | None = None,
) -> tuple[Finding, ...]:
    """All detectors on one model.

    Args:
        nets: The networks of the training.
        translator: The generator that translates, as a rule the averaged one.
        photos: What to translate; held-back ones where there are any.
        learned_from: Signatures that the training saw.
        held_back: Signatures that it did not see.
        seed: Of the noise.
        limits: Where health ends.

    Returns:
        One finding a disease, in the order of ``Disease``; none of steganography where there is no way back.
    """
    chosen, (image, mask) = limits or HealthLimits(), _parts(photos)
    with torch.no_grad():
        fake_b = translator(image, mask, photos.class_index)
        judged = nets.gen_ab(image, mask, photos.class_index)
    some = learned_from.part(_evenly(np.arange(len(learned_from))))
    real = held_back or some
    return (
        draws_nothing(fake_b, mask, some, chosen),
        mode_collapse(fake_b, photos, learned_from, chosen),
        *([steganography(nets, judged, photos, chosen, seed)] if isinstance(nets, CycleGanNets) else []),
        memorised(fake_b, photos, learned_from, held_back, chosen),
        checkerboard(fake_b, mask, some, chosen),
        imbalance(nets, judged, photos, real, chosen),
    )


def _parts(domain: DomainSet) -> tuple[torch.Tensor, torch.Tensor]:
    return domain.tensors[:, :-1], domain.tensors[:, -1:]


def _cells(image: torch.Tensor, mask: torch.Tensor) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(N, C, cells) mean of each cell and (N, cells) whether the object fills it; what is part air would tell of outlines."""
    filled = functional.avg_pool2d((mask >= 0.999).to(image.dtype), _CELL)[:, 0] >= 0.999
    return functional.avg_pool2d(image, _CELL).flatten(2).numpy(), filled.flatten(1).numpy()


def _some(cells: tuple[NDArray[np.float32], NDArray[np.bool_]], places: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    return cells[0][places], cells[1][places]


def _distances(
    first: tuple[NDArray[np.float32], NDArray[np.bool_]], second: tuple[NDArray[np.float32], NDArray[np.bool_]]
) -> NDArray[np.float64]:
    """(N, M) median absolute difference over the cells that both objects fill; infinite where there is none.

    The median, since a copy of an object of another outline is ragged at its edges alone.
    """
    found = np.full((len(first[0]), len(second[0])), np.inf)
    for row, (values, filled) in enumerate(zip(*first, strict=True)):
        both = second[1] & filled
        apart = np.where(both, np.abs(second[0] - values).mean(axis=1), np.nan)
        some = both.any(axis=1)
        found[row, some] = np.nanmedian(apart[some], axis=1)
    return found


def _evenly(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most so many of the places, evenly spaced: thousands of pairs take minutes and say no more."""
    if len(places) <= _MOST_COMPARED:
        return places
    return places[np.linspace(0, len(places) - 1, _MOST_COMPARED).round().astype(np.int64)]


def _mean_off_diagonal(distances: NDArray[np.float64]) -> float:
    others = distances[~np.eye(len(distances), dtype=bool)]
    finite = others[np.isfinite(others)]
    return float(finite.mean()) if finite.size else float("inf")


def _pattern(image: torch.Tensor, mask: torch.Tensor, period: int) -> tuple[float | None, float | None]:
    """Mean energy locked to a grid of this period beyond chance, and mean energy of all fine detail; inside objects, over objects.

    A phase of the grid is known by the median of its pixels, so that an edge, which touches few of them, is not taken for a grid.
    """
    size, reach = period + 1, period // 2
    air = functional.pad(1.0 - (mask >= 0.999).to(image.dtype), (reach,) * 4, value=1.0)
    inner = functional.max_pool2d(air, size, stride=1)[:, 0] == 0.0
    # every row and column of a window of period + 1 counts once a phase: its two ends share one
    row = torch.full((size,), 1.0 / period)
    row[0] = row[-1] = 0.5 / period
    kernel = (row[:, None] * row[None, :]).expand(image.shape[1], 1, size, size)
    smooth = functional.conv2d(functional.pad(image, (reach,) * 4, mode="replicate"), kernel, groups=image.shape[1])
    detail = (image - smooth).numpy().astype(np.float64)
    side = np.arange(detail.shape[-1]) % period
    phase = side[:, None] * period + side[None, :]
    locked, whole = [], []
    for values, place in zip(detail, inner.numpy(), strict=True):
        counts = np.bincount(phase[place], minlength=period * period)
        if counts.min() < 3:
            continue
        for channel in values:
            energy = float((channel[place] ** 2).mean())
            middles = np.array([np.median(channel[place & (phase == one)]) for one in range(period * period)])
            total = int(counts.sum())
            chance = np.pi / 2 * energy * period * period / total  # the variance of a median of so many
            locked.append(float((counts * middles**2).sum() / total) - chance)
            whole.append(energy)
    return (float(np.mean(locked)), float(np.mean(whole))) if locked else (None, None)


def _covered(head: torch.Tensor, mask: torch.Tensor) -> NDArray[np.float32]:
    """Verdicts on patches where the object is; all of them where the head has no patches."""
    if head.ndim != 4:
        return head.flatten().numpy()
    covered = functional.adaptive_max_pool2d(mask, head.shape[-2:]) > 0.0
    return head[covered.expand_as(head)].numpy()


def _preferred(real: NDArray[np.float32], fake: NDArray[np.float32]) -> float:
    """Chance that a real one scores above a made one, draws counted half (the area under the ROC curve)."""
    order = np.sort(fake)
    below = np.searchsorted(order, real, "left") + np.searchsorted(order, real, "right")
    return float(below.mean() / (2 * len(order))) if len(real) and len(order) else 0.5


def ill_ones(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Those that are beyond their limit."""
    return tuple(finding for finding in findings if finding.ill)
