"""The same threat in the same bag by every method, beside a real scan: colour, both energies, and what their ratio says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core.image import DUAL_ENERGY, TRANSMISSION_FLOOR, Quantity, XrayImage
from threatray.core.image_file import read_pixels
from threatray.errors import DataError
from threatray.physics.dual_energy import r_value
from threatray.report.folder import RunFolder
from threatray.report.pictures import Picture, Rgb, embed, to_rgb

_SIDE: Final = 240
_CAPTIONS: Final[Mapping[str, str]] = {
    "bag": "Bag alone",
    "energy_space": "Energy space",
    "channel_wise": "Colour channels",
    "alpha_blend": "Alpha blend",
    "opaque_paste": "Opaque paste",
    "real": "Scanned together",
}
_UNDER: Final[Mapping[str, str]] = {
    "bag": "before",
    "energy_space": "attenuations add",
    "channel_wise": "channels multiply",
    "alpha_blend": "control, no physics",
    "opaque_paste": "control, no physics",
    "real": "another bag and threat",
}
_VIEWS: Final = (
    ("colour", "Colour", "as on the screen"),
    ("high", "High energy", "dark is dense (square root of the transmission)"),
    ("low", "Low energy", "dark is dense (square root of the transmission)"),
    ("r", "Material, R", "attenuation at low over high energy"),
)
R_STOPS: Final = (
    (1.0, (242, 142, 43)),
    (1.3, (237, 201, 72)),
    (1.6, (89, 161, 79)),
    (2.0, (55, 126, 184)),
    (2.5, (84, 39, 136)),
)
"""R and its colour: organic orange, aluminium green, steel blue and violet."""
_LEAST_ATTENUATION: Final = 0.06
_AIR: Final = (255, 255, 255)


@dataclass(frozen=True)
class Panel:
    """One method's picture in one view.

    Args:
        caption: The method.
        under: What kind of method.
        picture: None where this method has no such view.
        proxy: Whether the view was read back from colours.
    """

    caption: str
    under: str
    picture: Picture | None
    proxy: bool


@dataclass(frozen=True)
class Row:
    """One view by every method."""

    title: str
    hint: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Exhibit:
    """One composite by every method."""

    title: str
    note: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Gallery:
    """The section.

    Args:
        lead: What is to be seen.
        exhibits: One a class.
        legend: R values and their colours as CSS, for the key; empty without energies.
        proxy: Whether some view is a proxy.
    """

    lead: str
    exhibits: tuple[Exhibit, ...]
    legend: tuple[tuple[str, str], ...]
    proxy: bool


def build_gallery(folder: RunFolder) -> Gallery | None:
    """The section, or None where the composites left no gallery.

    Raises:
        DataError: The gallery's list is broken.
    """
    exhibits = tuple(found for record in folder.records("compose/gallery/gallery.json") if (found := _exhibit(folder, record)))
    if not exhibits:
        return None
    views = [panel for exhibit in exhibits for row in exhibit.rows for panel in row.panels]
    energies = any(row.title == _VIEWS[3][1] for exhibit in exhibits for row in exhibit.rows)
    lead = (
        "The same threat at the same place by every method, and a scan in which a threat of that class lay in its bag. What lies under "
        "the threat must show through it, nothing may get brighter, and the threat must look as dense and of the same stuff as there."
    )
    legend = tuple((f"{value:.1f}", f"rgb{colour}") for value, colour in R_STOPS) if energies else ()
    return Gallery(lead, exhibits, legend, any(panel.proxy for panel in views))


def _exhibit(folder: RunFolder, record: Mapping[str, Any]) -> Exhibit | None:
    panels = record.get("panels")
    if not isinstance(panels, list) or not all(isinstance(panel, Mapping) for panel in panels):
        raise DataError(f"{folder.path}/compose/gallery/gallery.json: an entry has no list of panels. Run `threatray compose` again.")
    class_name, name = str(record.get("class_name") or "threat"), str(record.get("id") or "")
    drawn = [(panel, _views(folder, panel)) for panel in panels]
    rows = []
    for key, title, hint in _VIEWS:
        if not any(views.get(key) is not None for _, views in drawn):
            continue
        rows.append(Row(title, hint, tuple(_panel(panel, views.get(key), key, f"{title} of {class_name}") for panel, views in drawn)))
    if not rows:
        return None
    signatures = ", ".join(str(one) for one in record.get("signatures") or ())
    return Exhibit(class_name, f"Composite {name}, threat {signatures}, bag {record.get('bag_id')}.", tuple(rows))


def _panel(panel: Mapping[str, Any], pixels: Rgb | None, view: str, alt: str) -> Panel:
    name = str(panel.get("name"))
    caption = _CAPTIONS.get(name, name)
    picture = None if pixels is None else embed(pixels, f"{alt}: {caption.lower()}", longest=_SIDE, quality=84)
    proxy = bool(panel.get("proxy")) and view != "colour" and picture is not None
    return Panel(caption, _UNDER.get(name, ""), picture, proxy)


def _views(folder: RunFolder, panel: Mapping[str, Any]) -> dict[str, Rgb | None]:
    found: dict[str, Rgb | None] = {"colour": folder.pixels(f"compose/gallery/{panel.get('screen')}")}
    low, high = (_deep(folder, panel.get(energy)) for energy in ("low", "high"))
    if low is None or high is None or low.shape != high.shape:
        return found
    values = np.clip(np.stack([low, high]) / np.float32(65535), np.float32(TRANSMISSION_FLOOR), 1).astype(np.float32)
    dual = XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)
    return found | {"high": _as_on_screens(dual, 1), "low": _as_on_screens(dual, 0), "r": r_view(dual)}


def _as_on_screens(dual: XrayImage, channel: int) -> Rgb:
    """One energy as grey, the dark parts lifted: the square root of the transmission."""
    return to_rgb(np.repeat(np.sqrt(dual.values[channel : channel + 1]), 3, axis=0))


def _deep(folder: RunFolder, name: Any) -> NDArray[np.float32] | None:
    if not isinstance(name, str):
        return None
    try:
        levels = read_pixels(folder.inside(f"compose/gallery/{name}"))
    except DataError:
        return None
    return np.asarray(levels, np.float32) if levels.dtype == np.uint16 and levels.ndim == 2 else None


def r_view(dual: XrayImage) -> Rgb:
    """The ratio of attenuations as a colour; white where there is too little to tell.

    Args:
        dual: A dual-energy image.

    Returns:
        (H, W, 3) RGB uint8. Material is taken from a neighbourhood of about three pixels, so that noise does not hide it.

    Example:
        >>> values = np.exp(-np.array([2.0, 1.0], np.float32)).reshape(2, 1, 1) * np.ones((2, 3, 3), np.float32)
        >>> r_view(XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY))[1, 1].tolist()
        [55, 126, 184]
    """
    from threatray.physics.display import smooth_material

    ratio = r_value(smooth_material(dual, sigma_px=1.0), least_attenuation=_LEAST_ATTENUATION)
    known = np.isfinite(ratio)
    places = [value for value, _ in R_STOPS]
    colours = np.stack([np.interp(np.where(known, ratio, 1.0), places, [colour[channel] for _, colour in R_STOPS]) for channel in range(3)])
    return np.ascontiguousarray(np.where(known, colours, np.reshape(_AIR, (3, 1, 1))).round().astype(np.uint8).transpose(1, 2, 0))
