"""The shortcut probe: can a small classifier tell an augmented bag from a benign one by anything other than the threat?"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from threatray.core import derive, stream
from threatray.errors import ConfigError, DataError
from threatray.uplift.images import ImagePool, TrainingImage

_RESAMPLES: Final = 400
_FEWEST_GROUPS: Final = 4


@dataclass(frozen=True)
class ProbeConfig:
    """The probe.

    Args:
        side: Pictures are brought to this many pixels square.
        margin: Boxes are grown by this share of their size before they are blanked, so that no rim of the threat shows.
        folds: Parts of the bags; each is judged by a classifier trained on the others.
        steps: Updates of each classifier.
        batch_size: Pictures a step.
        most: Pictures of each kind at the most.
    """

    side: int = 96
    margin: float = 0.15
    folds: int = 2
    steps: int = 150
    batch_size: int = 16
    most: int = 400

    def __post_init__(self) -> None:
        if self.side < 32 or self.folds < 2 or self.steps < 1 or self.batch_size < 2 or self.most < 2 or self.margin < 0:
            raise ConfigError(f"shortcut probe: a value is out of range in {self}.")


@dataclass(frozen=True)
class ShortcutScore:
    """How well augmented bags are told from benign ones with the threats blanked out.

    Args:
        pool: Which pool was probed.
        auc: Area under the ROC curve over bags that the classifier had not seen: 0.5 is chance.
        low: Lower end of the 95 % interval, over bags.
        high: Upper end.
        pictures: Augmented pictures judged.
    """

    pool: str
    auc: float
    low: float
    high: float
    pictures: int

    @property
    def sentence(self) -> str:
        """In words."""
        found = "a shortcut" if self.low > 0.5 else "no shortcut shown"
        return f"{self.pool}: with the threats blanked out, AUC {self.auc:.2f} [{self.low:.2f}, {self.high:.2f}]: {found}."


def probe(pool: str, augmented: ImagePool, benign: ImagePool, seed: int, config: ProbeConfig | None = None) -> ShortcutScore:
    """Train a small classifier on pictures with the threats blanked out, and judge it on other bags.

    The boxes of each augmented picture are blanked, and the same places in a benign picture, so that the blank itself says nothing.
    What is left to go by are traces: another compression, noise, size, palette, or bags that only one side has. A detector can
    learn such traces instead of threats.

    Args:
        pool: Name of the pool.
        augmented: Pictures with threats that we put there.
        benign: Benign pictures; a bag that is in both is judged by the same classifier in both.
        seed: Of everything random.
        config: The probe.

    Returns:
        The AUC with an interval over bags; below 0.5 by chance only.

    Raises:
        DataError: Too few bags, or an augmented picture without a threat.
    """
    how = config or ProbeConfig()
    rng = stream(seed, "shortcut", pool)
    made = [augmented[index] for index in sorted(rng.permutation(len(augmented))[: how.most].tolist())]
    plain = [benign[index] for index in sorted(rng.permutation(len(benign))[: how.most].tolist())]
    if not made or not plain or any(not image.has_threat for image in made):
        raise DataError(f"shortcut probe: {pool} needs benign pictures and augmented ones that each hold a threat.")
    names = sorted({image.group for image in (*made, *plain)})
    if len(names) < max(_FEWEST_GROUPS, how.folds):
        raise DataError(f"shortcut probe: {len(names)} bags are too few to train on some and judge on others.")
    holes = [made[index] for index in rng.integers(len(made), size=len(plain))]
    inputs = np.stack(
        [_seen(image, image, how) for image in made] + [_seen(image, hole, how) for image, hole in zip(plain, holes, strict=True)]
    )
    truth = np.array([1.0] * len(made) + [0.0] * len(plain), np.float32)
    fold_of = dict(zip(names, (rng.permutation(len(names)) % how.folds).tolist(), strict=True))
    groups = [image.group for image in (*made, *plain)]
    fold = np.array([fold_of[group] for group in groups])
    scores = np.zeros(len(truth))
    for held in range(how.folds):
        scores[fold == held] = _judge(inputs, truth, fold != held, fold == held, derive(seed, "shortcut", pool, held), how)
    value = _auc(scores, truth, np.ones(len(truth)), fold)
    number = np.array([names.index(group) for group in groups])
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=_RESAMPLES)
    drawn = np.array([_auc(scores, truth, row[number], fold) for row in weights])
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return ShortcutScore(pool, round(value, 4), round(float(low), 4), round(float(high), 4), len(made))


def _seen(image: TrainingImage, holes: TrainingImage, config: ProbeConfig) -> NDArray[np.float32]:
    """(3, side, side) in [0, 1]: the picture with the places of the other's threats blanked."""
    pixels = image.pixels.transpose(1, 2, 0).copy()
    for x0, y0, x1, y1 in holes.boxes / np.array([holes.width, holes.height] * 2, np.float32):
        grow_x, grow_y = config.margin * (x1 - x0), config.margin * (y1 - y0)
        left, right = (round(float(edge) * image.width) for edge in (max(0.0, x0 - grow_x), x1 + grow_x))
        top, bottom = (round(float(edge) * image.height) for edge in (max(0.0, y0 - grow_y), y1 + grow_y))
        pixels[top : bottom + 1, left : right + 1] = 128
    small = cv2.resize(pixels, (config.side, config.side), interpolation=cv2.INTER_AREA)
    return np.asarray(small.transpose(2, 0, 1), np.float32) / np.float32(255)


def _judge(
    inputs: NDArray[Any], truth: NDArray[Any], train: NDArray[np.bool_], held: NDArray[np.bool_], seed: int, config: ProbeConfig
) -> NDArray[np.float64]:
    known, rng = [np.flatnonzero(train & (truth == kind)) for kind in (0, 1)], stream(seed, "batches")
    if not held.any():
        return np.zeros(0)
    if min(map(len, known)) == 0:
        return np.full(int(held.sum()), 0.5)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        network = _network()
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    half = max(1, config.batch_size // 2)
    for step in range(config.steps):
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * (1 + np.cos(np.pi * step / config.steps))
        chosen = np.concatenate([rng.choice(side, half) for side in known])
        batch = torch.from_numpy(inputs[chosen])
        if rng.integers(2):
            batch = batch.flip(3)
        loss = functional.binary_cross_entropy_with_logits(network(batch)[:, 0], torch.from_numpy(truth[chosen]))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    network.eval()
    with torch.inference_mode():
        parts = [network(part)[:, 0] for part in torch.split(torch.from_numpy(inputs[held]), 32)]
    return torch.cat(parts).double().numpy()


def _network() -> nn.Module:
    widths = (3, 16, 32, 48, 64)
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 1))


def _auc(scores: NDArray[Any], truth: NDArray[Any], weights: NDArray[Any], fold: NDArray[Any]) -> float:
    """Weighted AUC within each fold (the scores of two classifiers cannot be compared), averaged by its pairs."""
    total = pairs = 0.0
    for held in np.unique(fold):
        here = fold == held
        positive, negative = here & (truth == 1), here & (truth == 0)
        weight = weights[positive][:, None] * weights[negative][None, :]
        above = scores[positive][:, None] - scores[negative][None, :]
        total += float((weight * ((above > 0) + 0.5 * (above == 0))).sum())
        pairs += float(weight.sum())
    return total / pairs if pairs else float("nan")
