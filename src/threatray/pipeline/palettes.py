"""The palettes of a dataset's scanners: found, kept in a file that can be read and edited, chosen by the colour of air."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from threatray.core import FloatArray, XrayImage
from threatray.core.files import write_text
from threatray.errors import ConfigError, DataError
from threatray.physics.palette_calibration import calibrate_palette
from threatray.physics.pseudo_colour import ScannerPalette
from threatray.pipeline.settings import from_table
from threatray.tip.bag import air_colour

PALETTES_FILE: Final = "palettes.toml"
AUTO: Final = "auto"
CHANNELS: Final = "channels"

_SAME_AIR: Final = 24 / 255
"""Scans whose air differs by more in some channel come from screens with different settings."""

_LOOKED_AT: Final = 240
_CALIBRATED_ON: Final = 60
_FEWEST: Final = 3

Item = TypeVar("Item")


@dataclass(frozen=True)
class ScannerPalettes:
    """One palette for each kind of screen.

    Args:
        palettes: At least one.

    Raises:
        ConfigError: None, or two of one name.
    """

    palettes: tuple[ScannerPalette, ...]

    def __post_init__(self) -> None:
        names = [palette.name for palette in self.palettes]
        if not names or len(set(names)) != len(names):
            raise ConfigError(f"palettes: expected at least one, each with its own name, got {names}.")

    def of(self, air: FloatArray) -> ScannerPalette:
        """The palette of the screen with this colour of air.

        Raises:
            DataError: No palette has such air.
        """
        distances = [float(np.abs(np.array(palette.air) / 255 - air).max()) for palette in self.palettes]
        nearest = int(np.argmin(distances))
        if distances[nearest] > _SAME_AIR:
            known = ", ".join(f"{palette.name} {palette.air}" for palette in self.palettes)
            seen = tuple(int(value) for value in np.rint(np.asarray(air) * 255))
            raise DataError(
                f"no palette has air of colour {seen}; there are {known}. Calibrate on more scans of this scanner, or leave it out."
            )
        return self.palettes[nearest]


def calibrate_palettes(items: Sequence[Item], load: Callable[[Item], XrayImage]) -> ScannerPalettes:
    """Palettes of all the scanners that a set of scans was made with.

    Scans are grouped by the colour of their air, and each group of at least three is calibrated on up to 60 of its scans.

    Args:
        items: The scans; at most 240 of them are looked at, evenly spread.
        load: From one of them to its pseudo-colour image.

    Returns:
        The palettes, named ``air_R_G_B``, the most frequent first.

    Raises:
        DataError: No group is large and colourful enough.
    """
    step = -(-len(items) // _LOOKED_AT) if items else 1
    groups: list[tuple[FloatArray, list[Item]]] = []
    for item in items[::step]:
        try:
            air = air_colour(load(item))
        except DataError:  # no air, or a broken file: whoever uses that scan says so
            continue
        for centre, members in groups:
            if float(np.abs(centre - air).max()) <= _SAME_AIR:
                members.append(item)
                break
        else:
            groups.append((air, [item]))
    found: list[ScannerPalette] = []
    faults: list[str] = []
    for _, members in sorted(groups, key=lambda group: -len(group[1])):
        if len(members) < _FEWEST:
            continue
        chosen = members[:: -(-len(members) // _CALIBRATED_ON)]
        air = np.median([air_colour(load(item)) for item in chosen], axis=0).astype(np.float32)
        try:
            palette = calibrate_palette((load(item) for item in chosen), air).palette
        except DataError as error:
            faults.append(str(error))
            continue
        found.append(replace(palette, name="air_" + "_".join(map(str, palette.air))))
    if not found:
        why = faults[0] if faults else f"no {_FEWEST} of {len(items)} scans share their colour of air."
        raise DataError(f"palettes: none could be calibrated: {why} Choose channels to multiply red, green and blue instead.")
    return ScannerPalettes(tuple(found))


def palettes_for(choice: str, items: Sequence[Item], load: Callable[[Item], XrayImage]) -> ScannerPalettes | None:
    """What ``--palette`` names: ``auto`` calibrates, ``channels`` is none, anything else is a file.

    Raises:
        ConfigError: The file does not exist or is no palette file.
        DataError: ``auto`` finds no palette.
    """
    if choice == CHANNELS:
        return None
    return calibrate_palettes(items, load) if choice == AUTO else read_palettes(Path(choice))


def write_palettes(path: Path, palettes: ScannerPalettes) -> None:
    """Write palettes as TOML; ``read_palettes`` gives the same back."""
    write_text(path, "\n".join(_as_toml(palette) for palette in palettes.palettes))


def read_palettes(path: Path) -> ScannerPalettes:
    """Read a palette file.

    Raises:
        ConfigError: Missing, not TOML, an unknown key, or values that make no palette.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise ConfigError(f"{path}: no such palette file. Give one that `threatray signatures` wrote, or auto, or channels.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}.") from None
    return from_table(_PaletteFile, table, str(path)).opened()


@dataclass(frozen=True)
class _PaletteFile:
    palette: tuple[ScannerPalette, ...]

    def opened(self) -> ScannerPalettes:
        return ScannerPalettes(self.palette)


def _as_toml(palette: ScannerPalette) -> str:
    lines = [
        "[[palette]]",
        f'name = "{palette.name}"',
        f"air = {_array(palette.air)}",
        f"black = {_array(palette.black)}",
        f"weights = {_array(palette.weights)}  # of red, green and blue in what falls with attenuation",
        f"hardening = {float(palette.hardening)!r}",
        "# low-energy attenuation, lightness from air (1) to black (0)",
        "lightness = [",
        *(f"  {_array(knot)}," for knot in palette.lightness),
        "]",
    ]
    for stop in palette.stops:
        lines += ["", "[[palette.stops]]", f"material = {float(stop.material)!r}", f"deepest = {float(stop.deepest)!r}", "shades = ["]
        lines += [f"  {_array(shade)}," for shade in stop.shades] + ["]"]
    return "\n".join(lines) + "\n"


def _array(values: Sequence[Any]) -> str:
    return "[" + ", ".join(repr(value) for value in values) + "]"
