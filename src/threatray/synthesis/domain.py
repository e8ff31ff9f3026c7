"""The two domains of a translation as tensors: photos (A) and X-ray signatures (B), each with its mask as last channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from threatray.core import BoolArray, FloatArray, Signature
from threatray.errors import DataError
from threatray.synthesis.canvas import PHOTO_CHANNELS, photo_tensor, signature_tensor
from threatray.synthesis.encoding import Encoding
from threatray.synthesis.framing import Pose


@dataclass(frozen=True, eq=False)
class DomainSet:
    """All objects of one domain, ready for a network.

    Args:
        tensors: (N, C + 1, S, S) float32, the mask last; see ``photo_tensor`` and ``signature_tensor``.
        class_index: (N,) int64 into ``class_names``.
        ids: N names, for messages.
        class_names: The classes, in an order that both domains share.
        channels: C channel names.

    Raises:
        DataError: Empty, shapes disagree, an index without a class, values out of range.

    Example:
        >>> domain = DomainSet(torch.ones(2, 4, 8, 8), torch.tensor([0, 1]), ("a", "b"), ("gun", "knife"), PHOTO_CHANNELS)
        >>> len(domain), domain.size, domain.of_class(1).tolist()
        (2, 8, [1])
    """

    tensors: torch.Tensor
    class_index: torch.Tensor
    ids: tuple[str, ...]
    class_names: tuple[str, ...]
    channels: tuple[str, ...]

    def __post_init__(self) -> None:
        shape = tuple(self.tensors.shape)
        if len(shape) != 4 or shape[2] != shape[3] or self.tensors.dtype != torch.float32:
            raise DataError(f"domain: expected float32 tensors of shape (N, C+1, S, S), got {self.tensors.dtype} {shape}.")
        if shape[0] == 0:
            raise DataError("domain: no object at all. Give at least one of each domain.")
        if shape[1] != len(self.channels) + 1:
            raise DataError(
                f"domain: {len(self.channels)} channels {self.channels} and the mask make {len(self.channels) + 1}, got {shape[1]}."
            )
        if tuple(self.class_index.shape) != (shape[0],) or len(self.ids) != shape[0]:
            raise DataError(f"domain: {shape[0]} objects but {len(self.ids)} ids and classes of shape {tuple(self.class_index.shape)}.")
        if not (int(self.class_index.min()) >= 0 and int(self.class_index.max()) < len(self.class_names)):
            raise DataError(f"domain: class indices must lie in [0, {len(self.class_names)}), got {int(self.class_index.max())}.")
        if not (float(self.tensors.amin()) >= -1.0001 and float(self.tensors.amax()) <= 1.0001):  # NaN fails too
            raise DataError("domain: values must be finite and lie in [-1, 1]. Make the tensors with photo_tensor or signature_tensor.")

    def __len__(self) -> int:
        return int(self.tensors.shape[0])

    @property
    def size(self) -> int:
        """Side of the canvas in pixels."""
        return int(self.tensors.shape[-1])

    def of_class(self, index: int) -> NDArray[np.int64]:
        """Positions of one class's objects, ascending."""
        return np.flatnonzero(self.class_index.numpy() == index)

    def part(self, places: NDArray[Any]) -> DomainSet:
        """Some of the objects, by position or by a mask of booleans.

        Raises:
            DataError: None is left.
        """
        index = np.arange(len(self))[places]
        chosen = torch.from_numpy(index)
        return DomainSet(
            self.tensors[chosen], self.class_index[chosen], tuple(self.ids[place] for place in index), self.class_names, self.channels
        )

    @classmethod
    def of_photos(
        cls,
        crops: Sequence[tuple[str, NDArray[Any], BoolArray, str]],
        class_names: Sequence[str],
        size: int,
        *,
        pose: Pose = Pose.UPRIGHT,
    ) -> DomainSet:
        """Domain A from (id, pixels, mask, class name) of each photo crop.

        Raises:
            DataError: A class that is not in ``class_names``, or a crop that ``photo_tensor`` refuses.
        """
        tensors = [photo_tensor(pixels, mask, size, pose=pose) for _, pixels, mask, _ in crops]
        labels = [label for *_, label in crops]
        return cls._stack(tensors, labels, [name for name, *_ in crops], class_names, PHOTO_CHANNELS)

    @classmethod
    def of_signatures(
        cls,
        signatures: Sequence[Signature],
        class_names: Sequence[str],
        size: int,
        *,
        encoding: Encoding | None = None,
        pose: Pose = Pose.UPRIGHT,
    ) -> DomainSet:
        """Domain B from signatures that share their channels.

        Raises:
            DataError: None given, differing channels, or a class that is not in ``class_names``.
        """
        if not signatures:
            raise DataError("domain: no signature was given. Isolate some from labelled scans first.")
        channels = signatures[0].image.channels
        for signature in signatures:
            if signature.image.channels != channels:
                raise DataError(f"domain: signature {signature.id} has channels {signature.image.channels}, the first has {channels}.")
        tensors = [signature_tensor(signature, size, encoding=encoding, pose=pose) for signature in signatures]
        return cls._stack(tensors, [s.class_name for s in signatures], [s.id for s in signatures], class_names, channels)

    @classmethod
    def _stack(
        cls, tensors: list[FloatArray], labels: list[str], ids: list[str], class_names: Sequence[str], channels: tuple[str, ...]
    ) -> DomainSet:
        for name, label in zip(ids, labels, strict=True):
            if label not in class_names:
                raise DataError(f"domain: {name} is of class {label!r}, which is not one of {', '.join(class_names)}.")
        if not tensors:
            raise DataError("domain: no object at all. Give at least one of each domain.")
        index = torch.tensor([list(class_names).index(label) for label in labels])
        return cls(torch.from_numpy(np.stack(tensors)), index, tuple(ids), tuple(class_names), channels)
