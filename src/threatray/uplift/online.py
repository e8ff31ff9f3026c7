"""Threat image projection as a transform of a training loop, in torchvision's second convention: image and target in, both out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import get_worker_info

from threatray.errors import ConfigError, DataError
from threatray.tip.levels import LevelsComposite
from threatray.tip.online import Box, OnlineProjection, draw_seed
from threatray.tip.refusal import Refused


class ThreatProjection:
    """Projects fresh threats into the images of a data set while a detector is trained: no composite is ever written.

    It goes anywhere in ``torchvision.transforms.v2.Compose`` before the image becomes floating point, or is called by itself. Each
    call draws anew. Draws never repeat between workers or epochs, and are the same again for the same seeds:

    - with ``set_epoch`` called before every epoch, a draw depends on ``seed``, the epoch and the target's ``image_id`` alone, whatever
      the number of workers or the order (without an ``image_id``: on the worker and its count of calls);
    - without it, on ``seed`` and what PyTorch gave the worker for this epoch, which ``torch.manual_seed`` fixes.

    Args:
        projection: What is projected and how.
        class_ids: Class name -> label in the targets.
        seed: Of all draws.
        masks: Whether targets get masks even if they came without.

    Raises:
        ConfigError: A class that may be drawn has no label.

    Note:
        PyTorch cannot send sixteen-bit images of torchvision's own classes from a worker to the loop: make them floating point in the
        same chain, after this.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from threatray.core import COLOUR, Origin, OriginKind, Quantity, Signature, XrayImage
        >>> from threatray.tip.library import SignatureLibrary, write_index, write_signature
        >>> from threatray.tip.signature_cache import CachedLibrary
        >>> bar = XrayImage(np.full((3, 5, 20), 0.4, np.float32), Quantity.TRANSMISSION, COLOUR)
        >>> knife = Signature("k", bar, np.ones((5, 20), bool), "knife", Origin(OriginKind.RENDERED, "k", "k"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_index(Path(folder), [write_signature(Path(folder), knife)])
        ...     project = ThreatProjection(OnlineProjection(CachedLibrary(SignatureLibrary.open(Path(folder)))), {"knife": 1})
        ...     bag = torch.full((3, 60, 80), 255, dtype=torch.uint8)
        ...     bag[:, 10:50, 10:70] = 150
        ...     image, target = project(bag, {})
        >>> target["labels"].tolist(), tuple(target["boxes"].shape), bool((image <= bag).all())
        ([1], (1, 4), True)
    """

    def __init__(self, projection: OnlineProjection, class_ids: Mapping[str, int], *, seed: int = 0, masks: bool = False) -> None:
        missing = sorted(set(projection.classes or projection.library.library.by_class()) - set(class_ids))
        if missing:
            raise ConfigError(f"online projection: no label for {missing}. Add them to class_ids, or leave them out of classes.")
        self.projection, self.class_ids, self.seed, self.masks = projection, dict(class_ids), seed, masks
        self.refused: Counter[str] = Counter()
        self._calls = 0
        # Shared memory, so that workers that outlive an epoch hear of the next one.
        self._epoch = torch.full((), -1, dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch is drawn for next; reaches workers that are already running."""
        if epoch < 0:
            raise ConfigError(f"online projection: an epoch is a number of at least 0, got {epoch}.")
        self._epoch.fill_(epoch)

    def __call__(self, *sample: Any) -> Any:
        """Image and target, or one pair of them, to the same with threats in it.

        The image is a (C, H, W) uint8 or uint16 tensor or ``tv_tensors.Image``, or a ``PIL.Image``; the target a dictionary with
        ``boxes``, ``labels`` and, if it has them, ``masks``, ``area``, ``iscrowd``. What was in it stays, and is not covered. An
        image that nothing can be projected into comes back as it was (``refused`` counts the reasons in this process).

        Raises:
            DataError: An image of another type: floating point comes after this.
        """
        image, target = sample if len(sample) == 2 else sample[0]
        levels = _levels_of(image)
        made = self.projection.project(levels, self._generator(target), _boxes_of(target))
        if isinstance(made, Refused):
            self.refused[made.reason.value] += 1
        if not isinstance(made, LevelsComposite):
            return image, target
        return _image_like(image, made.levels), self._with_threats(target, made)

    def _generator(self, target: Mapping[str, Any]) -> np.random.Generator:
        info, epoch, count = get_worker_info(), int(self._epoch), self._calls
        self._calls += 1
        item = target.get("image_id")
        if epoch < 0:
            return np.random.default_rng(draw_seed(self.seed, None, "main" if info is None else info.seed, count))
        if item is not None:
            key = str(item.item() if isinstance(item, torch.Tensor) else item)
            return np.random.default_rng(draw_seed(self.seed, epoch, "any", key))
        return np.random.default_rng(draw_seed(self.seed, epoch, "main" if info is None else info.id, count))

    def _with_threats(self, target: Mapping[str, Any], made: LevelsComposite) -> dict[str, Any]:
        things = made.annotations()
        changed = dict(target)
        added = torch.from_numpy(things.boxes)
        changed["boxes"] = _boxes_like(target.get("boxes"), added, made.levels.shape[1:])
        labels = torch.tensor([self.class_ids[name] for name in things.labels], dtype=torch.int64)
        changed["labels"] = _joined(target.get("labels"), labels)
        assert things.masks is not None
        if "masks" in target or self.masks:
            changed["masks"] = _masks_like(target.get("masks"), torch.from_numpy(things.masks))
        areas = things.masks.sum(axis=(1, 2)).astype(np.float32)
        for key, values in (("area", torch.from_numpy(areas)), ("iscrowd", torch.zeros(len(labels), dtype=torch.int64))):
            if key in target:
                changed[key] = _joined(target[key], values)
        return changed


def _levels_of(image: Any) -> NDArray[Any]:
    if isinstance(image, torch.Tensor):
        values = image.detach().cpu().as_subclass(torch.Tensor)
        if values.ndim != 3 or values.dtype not in (torch.uint8, torch.uint16):
            raise DataError(
                f"online projection: expected a uint8 or uint16 image of shape (C, H, W), got {values.dtype} {tuple(values.shape)}. "
                "Put it before the image becomes floating point."
            )
        return values.numpy()
    from PIL import Image

    if isinstance(image, Image.Image) and image.mode in ("L", "RGB", "I;16"):
        pixels = np.asarray(image)
        return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    kind = f"a PIL image of mode {image.mode}" if isinstance(image, Image.Image) else type(image).__name__
    raise DataError(f"online projection: expected a tensor or a grey or RGB PIL image, got {kind}.")


def _image_like(image: Any, levels: NDArray[Any]) -> Any:
    if isinstance(image, torch.Tensor):
        return _wrapped(torch.from_numpy(np.ascontiguousarray(levels)).to(image.device), image)
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(levels[0] if len(levels) == 1 else levels.transpose(1, 2, 0)))


def _wrapped(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    from torchvision import tv_tensors

    wrapped: torch.Tensor = tv_tensors.wrap(values, like=like) if isinstance(like, tv_tensors.TVTensor) else values
    return wrapped


def _boxes_of(target: Mapping[str, Any]) -> list[Box]:
    boxes = target.get("boxes")
    if boxes is None or len(boxes) == 0:
        return []
    return [(x0, y0, x1, y1) for x0, y0, x1, y1 in _converted(boxes, "XYXY").tolist()]


def _converted(boxes: torch.Tensor, to: str) -> torch.Tensor:
    """Boxes of any of torchvision's formats as a plain tensor of corners; plain tensors are corners already."""
    from torchvision import tv_tensors
    from torchvision.transforms.v2 import functional

    if not isinstance(boxes, tv_tensors.BoundingBoxes):
        return boxes
    corners: torch.Tensor = functional.convert_bounding_box_format(boxes, new_format=tv_tensors.BoundingBoxFormat[to])
    return corners.as_subclass(torch.Tensor)


def _boxes_like(before: torch.Tensor | None, added: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    """The boxes with more of them, in the format, type and class they came in."""
    from torchvision import tv_tensors
    from torchvision.transforms.v2 import functional

    if not isinstance(before, tv_tensors.BoundingBoxes):
        return _joined(before if before is None or len(before) else before.reshape(0, 4), added)
    corners = tv_tensors.BoundingBoxes(added, format="XYXY", canvas_size=(int(size[0]), int(size[1])))
    same = functional.convert_bounding_box_format(corners, new_format=before.format).as_subclass(torch.Tensor)
    wrapped: torch.Tensor = tv_tensors.wrap(_joined(before.as_subclass(torch.Tensor).reshape(-1, 4), same), like=before)
    return wrapped


def _masks_like(before: torch.Tensor | None, added: torch.Tensor) -> torch.Tensor:
    from torchvision import tv_tensors

    if before is None or before.numel() == 0:
        joined = added if before is None else added.to(before.dtype)
    else:
        joined = _joined(before.as_subclass(torch.Tensor), added)
    wrapped: torch.Tensor = tv_tensors.wrap(joined, like=before) if isinstance(before, tv_tensors.Mask) else joined
    return wrapped


def _joined(before: torch.Tensor | None, added: torch.Tensor) -> torch.Tensor:
    return added if before is None else torch.cat([before, added.to(device=before.device, dtype=before.dtype)])
