"""Real threats kept from training so that translations can be judged against them: signatures of the validation or test scans."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from threatray.core.manifest import MANIFEST_NAME, RunManifest
from threatray.errors import ConfigError, DataError

SIGNATURES: Final = "signatures"
PART: Final = "part"
"""Key in the settings of a signatures folder's manifest; there only where the part is not the training scans."""


def refuse_held_back(stage: str, *folders: Path) -> None:
    """Stop a stage whose threats would reach a training from folders that were made for judging alone.

    Raises:
        ConfigError: A folder's manifest says that it was taken from other scans than the training's.
    """
    for folder in folders:
        if not (folder / MANIFEST_NAME).is_file():
            continue
        part = RunManifest.read(folder).config.get(PART)
        if part is not None:
            raise ConfigError(
                f"{stage}: {folder} holds threats of the {part} scans, which are for judging alone (threatray score --held-back). "
                "Give signatures of the training scans: threatray signatures without --part."
            )


def check_unseen(held_back: Path, training: Path) -> None:
    """Make sure that held-back signatures are of other scans than the training's, as far as their manifests tell.

    A library without a manifest, such as one brought from elsewhere, is taken as it is.

    Raises:
        ConfigError: They are of the training scans.
        DataError: They are of another split than the training's, whose training scans they may hold.
    """
    if not (held_back / MANIFEST_NAME).is_file():
        return
    mine = RunManifest.read(held_back)
    if mine.stage == SIGNATURES and PART not in mine.config:
        raise ConfigError(
            f"score: {held_back} holds threats of the training scans, which every translator has seen. "
            "Make the folder with threatray signatures --part validation, or test."
        )
    known = RunManifest.read(training).inputs.get("split") if (training / MANIFEST_NAME).is_file() else None
    if known is not None and "split" in mine.inputs and mine.inputs["split"] != known:
        raise DataError(
            f"score: {held_back} is of another split than {training}, so it may hold scans that training saw. "
            "Make both with the same threatray split."
        )
