"""The one strip at the top: from a photo to a composite."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from threatray.core.image_file import write_png
from threatray.errors import DataError
from threatray.report.composites import composite_of
from threatray.report.crops import Crops
from threatray.report.folder import RunFolder
from threatray.report.paired import OURS, Paired, value_of
from threatray.report.pictures import Picture, Rgb, colour_view, embed, picture_strip


@dataclass(frozen=True)
class Hero:
    """The strip at the top: captions and pictures from photo to composite, and how it was chosen."""

    panels: tuple[tuple[str, Picture], ...]
    chosen: str


def build_hero(folder: RunFolder) -> Hero | None:
    """The strip, or None where nothing was translated."""
    found = hero_pixels(folder)
    if found is None:
        return None
    panels, chosen = found
    return Hero(tuple((caption, embed(pixels, f"{caption}: {chosen}", longest=520)) for caption, pixels in panels), chosen)


def hero_pixels(folder: RunFolder) -> tuple[list[tuple[str, Rgb]], str] | None:
    """Photo, translated X-ray, true X-ray and composite of one object: the one of middling SSIM, not of the best."""
    accepted = folder.library("translate/accepted")
    if not len(accepted):
        return None
    crops = Crops.read(folder)
    known = set(accepted.ids())
    scored = sorted(
        (value, str(row["id"]))
        for row in Paired.read(folder).rows
        if str(row.get("id")) in known and (value := value_of(row, "ssim", OURS)) is not None
    )
    order = [name for _, name in scored] or list(accepted.ids())
    middle = len(order) // 2
    nearest = sorted(order, key=lambda name: (abs(order.index(name) - middle), name))
    composites = {name: found for name in nearest[:200] if (found := composite_of(folder, name)) is not None}
    name = next(iter(composites), nearest[0])
    class_name = accepted.entry(name).class_name
    how = "the median of all by SSIM to the truth" if scored else "from the middle of the list"
    photo, true = crops.pixels(name), crops.truth(name)
    panels: list[tuple[str, Rgb]] = [] if photo is None else [("Photo", photo)]
    panels.append(("Translated X-ray", colour_view(accepted.load(name).image)))
    if true is not None:
        panels.append(("True X-ray", colour_view(true)))
    if name in composites:
        panels.append(("Composite in the bag", composites[name]))
    return panels, f"{class_name} {name}, {how}"


def write_hero_strip(run_folder: Path, out_png: Path, *, height: int = 240) -> None:
    """Write a run's strip (photo, translated X-ray, true X-ray where there is one, composite in the bag) as PNG.

    Args:
        run_folder: The run's folder.
        out_png: The file to write.
        height: Height of the pictures in pixels.

    Raises:
        DataError: Nothing was translated in this run.
    """
    found = hero_pixels(RunFolder(run_folder))
    if found is None:
        raise DataError(
            f"{run_folder}: translate/accepted holds no signature, so there is nothing to show. Run `threatray translate` first."
        )
    write_png(out_png, picture_strip(found[0], height=height), compression=9)
