"""From a trained checkpoint and photo crops to signatures at the crops' own resolution."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from threatray.core import FloatArray
from threatray.core.files import sha256_of_file
from threatray.errors import DataError
from threatray.synthesis.checkpoint import load_checkpoint
from threatray.synthesis.config import TrainConfig
from threatray.synthesis.framed import FramedTranslator
from threatray.synthesis.networks import MaskedGenerator
from threatray.synthesis.presets import nets_of
from threatray.synthesis.train import UnpairedGan
from threatray.synthesis.translator import UnpairedTranslator, make_translator, translator_class


class _Foreign(torch.nn.Module):
    """A translator that is no ``UnpairedGan``, in a generator's place."""

    def __init__(self, model: UnpairedTranslator) -> None:
        super().__init__()
        self._model = model

    def inside(self, image: torch.Tensor, mask: torch.Tensor, class_index: torch.Tensor) -> torch.Tensor:
        """What the translator says the object looks like."""
        return self._model.translate(torch.cat([image, mask], 1), class_index)


class Translator(FramedTranslator):
    """The averaged photo-to-X-ray generator of a training, ready to translate.

    Args:
        generator: A ``MaskedGenerator``, or what offers its ``inside``.
        config: Of the training.
        class_names: Classes the generator knows.
        channels: Channel names of what it makes.
        checkpoint: sha256 of the checkpoint file, kept in every signature's origin.

    Example:
        >>> from threatray.synthesis.train import CycleGan
        >>> model = CycleGan(TrainConfig(size=16, steps=1), ("gun",), ("low_energy", "high_energy"), seed=0)
        >>> mask = np.zeros((30, 50), bool); mask[5:25, 5:45] = True
        >>> made = Translator.of(model).signature(np.zeros((30, 50, 3), np.uint8), mask, "gun", name="g1", source_id="p1", group="p1")
        >>> made.image.channels, made.image.size
        (('low_energy', 'high_energy'), (30, 50))
    """

    def __init__(
        self,
        generator: MaskedGenerator | _Foreign,
        config: TrainConfig,
        class_names: Sequence[str],
        channels: Sequence[str],
        checkpoint: str,
    ) -> None:
        super().__init__(config, class_names, channels, checkpoint)
        self.generator = generator.eval()

    @classmethod
    def of(cls, model: UnpairedGan[Any]) -> Self:
        """From a model in memory, which has no checkpoint name."""
        assert isinstance(model.ema, MaskedGenerator)
        return cls(model.ema, model.config, model.class_names, model.channels_b, "")

    @classmethod
    def load(cls, path: Path) -> Self:
        """From a checkpoint file.

        Raises:
            DataError: The file is missing, broken, not a checkpoint, or of networks that the preset has no longer.
            ConfigError: It was made by a translator of your own that is not installed here.
        """
        state = load_checkpoint(path)
        config = TrainConfig.from_json(json.loads(state["config"]))
        made_by = translator_class(config.translator)
        if not (isinstance(made_by, type) and issubclass(made_by, UnpairedGan)):
            model = make_translator(config, tuple(state["class_names"]), tuple(state["channels_b"]), seed=state["seed"])
            model.restore(path)
            return cls(_Foreign(model), config, state["class_names"], state["channels_b"], sha256_of_file(path))
        generator = nets_of(config, len(state["channels_b"]), len(state["class_names"]), seed=0).gen_ab
        assert isinstance(generator, MaskedGenerator)
        try:
            generator.load_state_dict(state["ema"])
        except RuntimeError:
            raise DataError(
                f"{path}: its networks are not those that preset {config.preset} has today; another version of threatray trained it. "
                "Train again, or translate with that version."
            ) from None
        return cls(generator.requires_grad_(False), config, state["class_names"], state["channels_b"], sha256_of_file(path))

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

    def encoded(self, photos: FloatArray, class_index: NDArray[np.int64], batch_size: int) -> FloatArray:
        """What the generator says the objects look like; means nothing outside the masks."""
        made: FloatArray = self._run(torch.from_numpy(photos), torch.from_numpy(class_index), batch_size).numpy()
        return made

    def _run(self, photos: torch.Tensor, class_index: torch.Tensor, batch_size: int) -> torch.Tensor:
        size = self.config.size
        if photos.ndim != 4 or tuple(photos.shape[1:]) != (4, size, size):
            raise DataError(f"translate: expected photos of shape (N, 4, {size}, {size}), got {tuple(photos.shape)}.")
        with torch.inference_mode():
            parts = [
                self.generator.inside(some[:, :-1], some[:, -1:], classes)
                for some, classes in zip(torch.split(photos, batch_size), torch.split(class_index, batch_size), strict=True)
            ]
        return torch.cat(parts) if parts else photos.new_ones((0, len(self.channels), size, size))
