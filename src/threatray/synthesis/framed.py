"""What every translator shares: photo crops onto a canvas, a picture back, a signature of the crop's own size. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from threatray.core import TRANSMISSION_FLOOR, BoolArray, FloatArray, Origin, OriginKind, Provenance, Quantity, Signature, XrayImage
from threatray.errors import DataError
from threatray.synthesis.canvas import photo_tensor
from threatray.synthesis.config import TrainConfig
from threatray.synthesis.framing import Frame


class FramedTranslator:
    """A translator of canvases; says in ``encoded`` what its network makes of them.

    Args:
        config: Of the training: canvas, pose, encoding.
        class_names: Classes it knows.
        channels: Channel names of what it makes.
        checkpoint: sha256 of its file, kept in every signature's origin.
    """

    def __init__(self, config: TrainConfig, class_names: Sequence[str], channels: Sequence[str], checkpoint: str) -> None:
        self.config, self.class_names, self.channels, self.checkpoint = config, tuple(class_names), tuple(channels), checkpoint

    def encoded(self, photos: FloatArray, class_index: NDArray[np.int64], batch_size: int) -> FloatArray:
        """(N, 4, S, S) canvases to (N, C, S, S) encoded transmissions, which mean nothing outside the masks."""
        raise NotImplementedError

    def class_index(self, class_name: str) -> int:
        """Where a class stands among those the generator knows.

        Raises:
            DataError: It was not trained on this class.
        """
        if class_name not in self.class_names:
            raise DataError(f"translate: class {class_name!r} was not trained; the checkpoint knows {', '.join(self.class_names)}.")
        return self.class_names.index(class_name)

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
        classes = np.array([self.class_index(label) for *_, label in crops], np.int64)
        if not crops:
            return []
        photos = np.stack([photo_tensor(pixels, mask, size, pose=pose) for pixels, mask, _ in crops])
        made = self.config.encoding.decode(self.encoded(photos, classes, batch_size))
        attenuations = -np.log(made)
        result: list[Signature] = []
        for place, ((_, mask, label), (name, source, group, provenance)) in enumerate(zip(crops, names, strict=True)):
            frame = Frame.of(mask, size, pose=pose)
            attenuation = frame.from_canvas(attenuations[place], photos[place, -1], (mask.shape[0], mask.shape[1]))
            transmission = np.where(mask, np.exp(-np.maximum(attenuation, 0.0)), 1.0)
            values: FloatArray = np.clip(transmission, TRANSMISSION_FLOOR, 1.0).astype(np.float32)
            image = XrayImage(values, Quantity.TRANSMISSION, self.channels)
            origin = Origin(OriginKind.TRANSLATED, source, group, self.checkpoint, provenance)
            result.append(Signature(name, image, mask, label, origin))
        return result
