"""From a trained checkpoint and photo crops to signatures at the crops' own resolution."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from threatray.core import TRANSMISSION_FLOOR, BoolArray, FloatArray, Origin, OriginKind, Provenance, Quantity, Signature, XrayImage
from threatray.core.files import sha256_of_file
from threatray.errors import DataError
from threatray.synthesis.checkpoint import load_checkpoint
from threatray.synthesis.config import TrainConfig
from threatray.synthesis.domain import photo_tensor
from threatray.synthesis.framing import Frame
from threatray.synthesis.networks import MaskedGenerator
from threatray.synthesis.presets import nets_of
from threatray.synthesis.train import CycleGan


class Translator:
    """The averaged photo-to-X-ray generator of a training, ready to translate.

    Args:
        generator: A ``MaskedGenerator``.
        config: Of the training.
        class_names: Classes the generator knows.
        channels: Channel names of what it makes.
        checkpoint: sha256 of the checkpoint file, kept in every signature's origin.

    Example:
        >>> model = CycleGan(TrainConfig(size=16, steps=1), ("gun",), ("low_energy", "high_energy"), seed=0)
        >>> mask = np.zeros((30, 50), bool); mask[5:25, 5:45] = True
        >>> made = Translator.of(model).signature(np.zeros((30, 50, 3), np.uint8), mask, "gun", name="g1", source_id="p1", group="p1")
        >>> made.image.channels, made.image.size
        (('low_energy', 'high_energy'), (30, 50))
    """

    def __init__(
        self, generator: MaskedGenerator, config: TrainConfig, class_names: Sequence[str], channels: Sequence[str], checkpoint: str
    ) -> None:
        self._generator = generator.eval()
        self.config, self.class_names, self.channels, self.checkpoint = config, tuple(class_names), tuple(channels), checkpoint

    @classmethod
    def of(cls, model: CycleGan) -> Self:
        """From a model in memory, which has no checkpoint name."""
        assert isinstance(model.ema, MaskedGenerator)
        return cls(model.ema, model.config, model.class_names, model.channels_b, "")

    @classmethod
    def load(cls, path: Path) -> Self:
        """From a checkpoint file.

        Raises:
            DataError: The file is missing, broken or not a checkpoint.
        """
        state = load_checkpoint(path)
        config = TrainConfig.from_json(json.loads(state["config"]))
        generator = nets_of(config, len(state["channels_b"]), len(state["class_names"]), seed=0).gen_ab
        assert isinstance(generator, MaskedGenerator)
        generator.load_state_dict(state["ema"])
        return cls(generator.requires_grad_(False), config, state["class_names"], state["channels_b"], sha256_of_file(path))

    def class_index(self, class_name: str) -> int:
        """Where a class stands among those the generator knows.

        Raises:
            DataError: It was not trained on this class.
        """
        if class_name not in self.class_names:
            raise DataError(f"translate: class {class_name!r} was not trained; the checkpoint knows {', '.join(self.class_names)}.")
        return self.class_names.index(class_name)

    def translate(self, photos: torch.Tensor, class_index: torch.Tensor, *, batch_size: int = 32) -> torch.Tensor:
        """Canvas photos to canvas transmissions, as a scanner would see them.

        Args:
            photos: (N, 4, S, S) of ``photo_tensor`` at the training's size and pose.
            class_index: (N,) int64.
            batch_size: Photos at a time; bounds the memory.

        Returns:
            (N, C, S, S) transmissions in [``TRANSMISSION_FLOOR``, 1], exactly 1 outside the masks.
        """
        made = self._run(photos, class_index, batch_size)
        mask = photos[:, -1:]
        return self.config.encoding.decode(1.0 + mask * (made - 1.0))

    def signature(
        self,
        pixels: NDArray[Any],
        mask: BoolArray,
        class_name: str,
        *,
        name: str,
        source_id: str,
        group: str,
        provenance: Provenance | None = None,
    ) -> Signature:
        """One photo crop to a signature of the crop's own size; see ``signatures``."""
        return self.signatures([(pixels, mask, class_name)], [(name, source_id, group, provenance or Provenance())])[0]

    def signatures(
        self,
        crops: Sequence[tuple[NDArray[Any], BoolArray, str]],
        names: Sequence[tuple[str, str, str, Provenance]],
        *,
        batch_size: int = 32,
    ) -> list[Signature]:
        """Photo crops to signatures of the crops' own size.

        The attenuation is interpolated between canvas pixels, the silhouette is the photo's own mask at full resolution.

        Args:
            crops: (pixels (H, W, 3) uint8, mask (H, W) bool, class name) of each photo.
            names: (signature id, photo id, group, provenance) of each.
            batch_size: Photos at a time.

        Returns:
            One signature a crop; transmission exactly 1 outside the mask.

        Raises:
            DataError: A class that was not trained, or a crop that ``photo_tensor`` refuses.
        """
        size, pose = self.config.size, self.config.pose
        classes = torch.tensor([self.class_index(label) for *_, label in crops], dtype=torch.int64)
        if not crops:
            return []
        photos = torch.from_numpy(np.stack([photo_tensor(pixels, mask, size, pose=pose) for pixels, mask, _ in crops]))
        made = self.config.encoding.decode(self._run(photos, classes, batch_size))
        attenuations = (-torch.log(made)).numpy()
        result: list[Signature] = []
        for place, ((_, mask, label), (name, source, group, provenance)) in enumerate(zip(crops, names, strict=True)):
            frame = Frame.of(mask, size, pose=pose)
            attenuation = frame.from_canvas(attenuations[place], photos[place, -1].numpy(), (mask.shape[0], mask.shape[1]))
            transmission = np.where(mask, np.exp(-np.maximum(attenuation, 0.0)), 1.0)
            values: FloatArray = np.clip(transmission, TRANSMISSION_FLOOR, 1.0).astype(np.float32)
            image = XrayImage(values, Quantity.TRANSMISSION, self.channels)
            origin = Origin(OriginKind.TRANSLATED, source, group, self.checkpoint, provenance)
            result.append(Signature(name, image, mask, label, origin))
        return result

    def _run(self, photos: torch.Tensor, class_index: torch.Tensor, batch_size: int) -> torch.Tensor:
        size = self.config.size
        if photos.ndim != 4 or tuple(photos.shape[1:]) != (4, size, size):
            raise DataError(f"translate: expected photos of shape (N, 4, {size}, {size}), got {tuple(photos.shape)}.")
        with torch.inference_mode():
            parts = [
                self._generator.inside(some[:, :-1], some[:, -1:], classes)
                for some, classes in zip(torch.split(photos, batch_size), torch.split(class_index, batch_size), strict=True)
            ]
        return torch.cat(parts) if parts else photos.new_ones((0, len(self.channels), size, size))
