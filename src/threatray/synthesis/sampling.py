"""Which objects meet in a batch and how each is changed: drawn first, applied after, replayable."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from threatray.core import FloatArray
from threatray.errors import DataError
from threatray.synthesis.config import AugmentConfig
from threatray.synthesis.distributed import share_of
from threatray.synthesis.domain import DomainSet
from threatray.synthesis.step import Batch


@dataclass(frozen=True, eq=False)
class BatchPlan:
    """Everything random about one batch of N pairs.

    Args:
        class_index: (N,) the class that both partners of a pair have.
        index_a: (N,) positions in domain A.
        index_b: (N,) positions in domain B.
        affine_a: (N, 2, 3) canvas transforms of the photos, in [-1, 1] coordinates.
        affine_b: (N, 2, 3) of the signatures.
        gain: (N, 3) factor on each colour channel of the photos; negative where inverted.
        offset: (N, 3) added after it.
        density: (N,) factor on the signatures' attenuation.
    """

    class_index: NDArray[np.int64]
    index_a: NDArray[np.int64]
    index_b: NDArray[np.int64]
    affine_a: FloatArray
    affine_b: FloatArray
    gain: FloatArray
    offset: FloatArray
    density: FloatArray


class PairSampler:
    """Batches in which every class is equally frequent, however rare it is in either domain.

    Args:
        domain_a: Photos.
        domain_b: Signatures; same classes in the same order, same canvas.
        batch_size: Pairs a batch.
        augment: How much objects are changed.
        rng: The only source of randomness; its state is the sampler's whole state.

    Raises:
        DataError: The domains differ in classes or canvas, or no class has objects in both.

    Note:
        Classes that one of the domains lacks are left out; ``missing`` names them.
    """

    def __init__(self, domain_a: DomainSet, domain_b: DomainSet, batch_size: int, augment: AugmentConfig, rng: np.random.Generator) -> None:
        if domain_a.class_names != domain_b.class_names:
            raise DataError(f"sampler: the domains name different classes, {domain_a.class_names} and {domain_b.class_names}.")
        if domain_a.size != domain_b.size:
            raise DataError(f"sampler: photos are {domain_a.size} px but signatures {domain_b.size} px. Prepare both at one size.")
        self._a, self._b = domain_a, domain_b
        self._members = [(domain_a.of_class(index), domain_b.of_class(index)) for index in range(len(domain_a.class_names))]
        self._classes = np.array([index for index, (a, b) in enumerate(self._members) if a.size and b.size], np.int64)
        self.missing = tuple(name for index, name in enumerate(domain_a.class_names) if index not in self._classes)
        if not self._classes.size:
            raise DataError("sampler: no class has both photos and signatures, so nothing can be learned. Check the class names.")
        self._batch_size, self._augment, self._rng = batch_size, augment, rng

    def draw(self) -> BatchPlan:
        """Choose the next batch."""
        rng, count = self._rng, self._batch_size
        rounds = -(-count // self._classes.size)
        classes = np.concatenate([rng.permutation(self._classes) for _ in range(rounds)])[:count]
        index_a = np.array([self._members[index][0][rng.integers(self._members[index][0].size)] for index in classes])
        index_b = np.array([self._members[index][1][rng.integers(self._members[index][1].size)] for index in classes])
        augment = self._augment
        contrast = np.exp(rng.uniform(-1, 1, (count, 1)) * np.log1p(augment.contrast))
        turned = np.where(rng.random((count, 1)) < augment.invert, -1.0, 1.0)
        offset = rng.uniform(-1, 1, (count, 1)) * augment.brightness + rng.uniform(-1, 1, (count, 3)) * augment.tint
        density = np.exp(rng.uniform(-1, 1, count) * augment.density)
        return BatchPlan(
            classes,
            index_a,
            index_b,
            self._affine(count),
            self._affine(count),
            np.repeat(contrast * turned, 3, axis=1).astype(np.float32),
            offset.astype(np.float32),
            density.astype(np.float32),
        )

    def apply(self, plan: BatchPlan) -> Batch:
        """Build the batch that a plan describes, or this process's share of it; no randomness."""
        plan = share_of(plan)
        photos = _warped(self._a.tensors[torch.from_numpy(plan.index_a)], plan.affine_a)
        signatures = _warped(self._b.tensors[torch.from_numpy(plan.index_b)], plan.affine_b)
        mask_a, mask_b = photos[:, -1:], signatures[:, -1:]
        gain, offset = (torch.from_numpy(values)[:, :, None, None] for values in (plan.gain, plan.offset))
        jittered = (photos[:, :-1] * gain[:, : photos.shape[1] - 1] + offset[:, : photos.shape[1] - 1]).clamp(-1.0, 1.0)
        # T = u^(1/p), and T^d = u^(d/p): a factor on the attenuation is the same power of the encoded transmission, whatever p is
        unit = ((signatures[:, :-1] + 1.0) / 2.0).clamp(0.0, 1.0) ** torch.from_numpy(plan.density)[:, None, None, None]
        return Batch(
            real_a=jittered * mask_a + (1.0 - mask_a),
            mask_a=mask_a.contiguous(),
            real_b=2.0 * unit - 1.0,
            mask_b=mask_b.contiguous(),
            class_index=torch.from_numpy(plan.class_index),
        )

    def names(self, plan: BatchPlan) -> str:
        """The ids in a batch, for messages."""
        photos, signatures = ([domain.ids[i] for i in index] for domain, index in ((self._a, plan.index_a), (self._b, plan.index_b)))
        return f"photos {', '.join(photos)}; signatures {', '.join(signatures)}"

    def state(self) -> str:
        """The generator's state as JSON."""
        return json.dumps(self._rng.bit_generator.state)

    def restore(self, state: str) -> None:
        """Continue from a state that ``state`` gave."""
        self._rng.bit_generator.state = json.loads(state)

    def _affine(self, count: int) -> FloatArray:
        rng, augment = self._rng, self._augment
        angle = np.deg2rad(rng.uniform(-1, 1, count) * augment.angle_degrees)
        if augment.quarter_turns:
            angle += np.pi / 2 * rng.integers(4, size=count)
        size = np.exp(rng.uniform(-1, 1, count) * augment.scale)
        mirror = np.where(rng.random((count, 2)) < augment.flip, -1.0, 1.0)
        shift = rng.uniform(-2, 2, (count, 2)) * augment.shift
        cosine, sine = np.cos(angle) * size, np.sin(angle) * size
        matrix = np.empty((count, 2, 3), np.float32)
        matrix[:, 0] = np.column_stack([cosine * mirror[:, 0], -sine * mirror[:, 0], shift[:, 0]])
        matrix[:, 1] = np.column_stack([sine * mirror[:, 1], cosine * mirror[:, 1], shift[:, 1]])
        return matrix


def _warped(tensors: torch.Tensor, affine: FloatArray) -> torch.Tensor:
    """Move the objects on their canvases; what comes in from outside is air (1) with an empty mask (0)."""
    air = torch.ones(1, tensors.shape[1], 1, 1)
    air[:, -1] = 0.0
    grid = functional.affine_grid(torch.from_numpy(affine), list(tensors.shape), align_corners=False)
    return functional.grid_sample(tensors - air, grid, mode="bilinear", padding_mode="zeros", align_corners=False) + air
