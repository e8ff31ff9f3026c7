"""Photo, translation and truth of the same object side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from threatray.core.image import DUAL_ENERGY, XrayImage
from threatray.report.crops import Crops
from threatray.report.folder import RunFolder
from threatray.report.paired import OURS, Paired, value_of
from threatray.report.pictures import Picture, channel_view, colour_view, embed
from threatray.report.tables import evenly, figure_text
from threatray.tip.library import SignatureLibrary

_MOST_STRIPS: Final = 60
_STRIPS_A_CLASS: Final = (2, 6)
_CONTROLS: Final = (("inverted", "Grey inverted"), ("mean_fill", "Mean fill"))


@dataclass(frozen=True)
class Strip:
    """One object: its pictures by column title (None where there is none), and its figures in words."""

    id: str
    class_name: str
    panels: Mapping[str, Picture | None]
    note: str


@dataclass(frozen=True)
class Strips:
    """The section of photo, translation and truth.

    Args:
        lead: The section in a sentence.
        columns: Titles of the pictures of a strip.
        classes: Class -> its strips.
        truth: Whether true X-rays are among them.
    """

    lead: str
    columns: tuple[str, ...]
    classes: Mapping[str, tuple[Strip, ...]]
    truth: bool


def build_strips(folder: RunFolder) -> Strips | None:
    """The section, or None where nothing was translated."""
    accepted = folder.library("translate/accepted")
    if not len(accepted):
        return None
    crops = Crops.read(folder)
    controls = {title: folder.library(f"score/controls/{name}") for name, title in _CONTROLS}
    paired = Paired.read(folder)
    by_class = accepted.by_class()
    most = int(np.clip(_MOST_STRIPS // len(by_class), *_STRIPS_A_CLASS))
    classes: dict[str, tuple[Strip, ...]] = {}
    for class_name, names in sorted(by_class.items()):
        chosen = evenly(names, most)
        classes[class_name] = tuple(_strip(one, class_name, crops, accepted, controls, _note(paired, one)) for one in chosen)
    used = [title for title in _columns() if any(strip.panels[title] for strips in classes.values() for strip in strips)]
    with_truth = any(title.startswith("True") for title in used)
    true = ", and the true X-ray of the same object" if with_truth else ""
    lead = (
        f"Each row is one object: the photo that went in, the X-ray that came out{true}. "
        f"The rows are spaced evenly through each class's accepted translations, not picked by eye."
    )
    return Strips(lead, tuple(used), classes, with_truth)


def _columns() -> tuple[str, ...]:
    translated = ("Translated, low energy", "Translated, high energy", "Translated")
    true = ("True, low energy", "True, high energy", "True")
    return ("Photo", *(title for _, title in _CONTROLS), *translated, *true)


def _strip(
    crop: str,
    class_name: str,
    crops: Crops,
    accepted: SignatureLibrary,
    controls: Mapping[str, SignatureLibrary],
    note: str,
) -> Strip:
    panels: dict[str, Picture | None] = dict.fromkeys(_columns())
    what = f"{class_name} {crop}"
    photo = crops.pixels(crop)
    if photo is not None:
        panels["Photo"] = embed(photo, f"Photo of {what}")
    for title, library in controls.items():
        if crop in library.ids():
            panels[title] = embed(colour_view(library.load(crop).image), f"{title} control of {what}")
    panels |= _views("Translated", accepted.load(crop).image, f"Translated X-ray of {what}")
    true = crops.truth(crop)
    if true is not None:
        panels |= _views("True", true, f"True X-ray of {what}")
    return Strip(crop, class_name, panels, note)


def _views(title: str, image: XrayImage, alt: str) -> dict[str, Picture]:
    """Low energy, high energy and colour of a dual-energy signature; of any other its one view."""
    found = {title: embed(colour_view(image), f"{alt}, pseudo-colour")}
    if image.channels == DUAL_ENERGY:
        for channel, energy in enumerate(("low energy", "high energy")):
            found[f"{title}, {energy}"] = embed(channel_view(image, channel), f"{alt}, {energy}")
    return found


def _note(paired: Paired, item: str) -> str:
    """The object's own likeness and that of its best control; all of them are in the table of fidelity."""
    row = paired.of(item)
    found = {arm: value for arm in paired.arms("ssim") if (value := value_of(row, "ssim", arm)) is not None}
    if OURS not in found:
        return ""
    controls = [value for arm, value in found.items() if arm != OURS]
    best = f", best control {figure_text(max(controls))}" if controls else ""
    return f"SSIM {figure_text(found[OURS])}{best}"
