"""``threatray library``: look at signature libraries and make new ones of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from threatray.cli.common import Common, Flag
from threatray.errors import ConfigError
from threatray.pipeline.stage import storage_faults
from threatray.pipeline.stages import library_stage
from threatray.pipeline.stages.library_stage import DedupeConfig
from threatray.tip.library import LibraryEntry, SignatureLibrary
from threatray.tip.selection import Selection

library = App(name="library", help="Look through, filter, join and deduplicate signature libraries.")

Chosen = Annotated[Selection, Parameter(name="*")]


@library.command(name="list")
def list_(folder: Path, /, *, selection: Chosen = Selection(), common: Common = Common()) -> int:
    """List the signatures of a library.

    Args:
        folder: The library.
        selection: Which signatures.
    """
    opened = SignatureLibrary.open(folder)
    chosen = selection.of(opened)
    counts = {name: len(ids) for name, ids in chosen.by_class().items()}
    result: dict[str, Any] = {"stage": "library list", "out": folder.as_posix(), "summary": {"signatures": counts, "of": len(opened)}}
    if common.json:
        result["signatures"] = [entry.as_json() for entry in chosen.entries]
    common.print_result(result)
    if not common.json:
        for line in _table(chosen.entries):
            print(line)  # noqa: T201
    return 0


@library.command(name="filter")
def filter_(folder: Path, /, *, out: Path, selection: Chosen = Selection(), common: Common = Common()) -> int:
    """Write a part of a library as a new library.

    Args:
        folder: The library; it is not changed.
        out: Folder to make.
        selection: Which signatures.
    """
    return common.finish(out, library_stage.filter_library(selection, folder, out, common.run()))


@library.command
def add(*folders: Path, out: Path, rename: Flag = False, common: Common = Common()) -> int:
    """Join libraries into a new one.

    Args:
        folders: At least two libraries; none is changed. A signature that several hold counts once.
        out: Folder to make.
        rename: Keep different signatures of one id, the later ones as id-2, id-3; otherwise that is an error.
    """
    return common.finish(out, library_stage.add_libraries(folders, out, common.run(), rename=rename))


@library.command
def dedupe(
    folder: Path,
    /,
    *,
    out: Path | None = None,
    config: Annotated[DedupeConfig, Parameter(name="*")] = DedupeConfig(),
    common: Common = Common(),
) -> int:
    """Find signatures that nearly repeat each other, and write a library without them.

    Args:
        folder: The library; it is not changed.
        out: Folder to make, with the best of each group; if not given, groups are only listed.
        config: What counts as a repeat.
    """
    if out is not None:
        return common.finish(out, library_stage.dedupe_library(config, folder, out, common.run()))
    opened = SignatureLibrary.open(folder)
    groups = library_stage.find_duplicates(config, opened, common.run())
    summary = {"signatures": len(opened), "groups": len(groups), "would_be_dropped": sum(len(group) - 1 for group in groups)}
    result: dict[str, Any] = {"stage": "library dedupe", "out": folder.as_posix(), "summary": summary}
    if common.json:
        result["groups"] = [list(group) for group in groups]
    common.print_result(result)
    if not common.json:
        for group in groups:
            print(f"  {group[0]} (kept): {', '.join(group[1:])}")  # noqa: T201
    return 0


@library.command
def sheet(
    folder: Path,
    /,
    *,
    out: Path = Path("sheet.html"),
    tile: int = 160,
    columns: int = 8,
    selection: Chosen = Selection(),
    common: Common = Common(),
) -> int:
    """Write a contact sheet of a library, to look at.

    Args:
        folder: The library.
        out: File to write, .html (with source and licence of each) or .png.
        tile: Side of a picture in pixels.
        columns: Pictures in a row, for .png.
        selection: Which signatures.
    """
    from threatray.core.files import write_text
    from threatray.core.image_file import write_png
    from threatray.report.library_page import library_page
    from threatray.tip.sheet import labelled_sheet, thumbnail

    kind = out.suffix.lower()
    if kind not in (".html", ".png"):
        raise ConfigError(f"library sheet: --out must end in .html or .png, got {out.name!r}.")
    if not 32 <= tile <= 1024 or not 1 <= columns <= 100:
        raise ConfigError(f"library sheet: tile must lie in [32, 1024] and columns in [1, 100], got {tile} and {columns}.")
    chosen = selection.of(SignatureLibrary.open(folder))
    if not chosen.entries:
        raise ConfigError(f"library sheet: no signature of {folder} is chosen. Loosen the filters.")
    with storage_faults(out):
        if kind == ".png":
            write_png(out, labelled_sheet([chosen.load(entry.id) for entry in chosen.entries], chosen.entries, tile=tile, columns=columns))
        else:
            pictures = [thumbnail(chosen.load(entry.id), tile) for entry in chosen.entries]
            write_text(out, library_page(f"Signatures of {folder.resolve().name}", chosen.entries, pictures))
    common.print_result({"stage": "library sheet", "out": out.as_posix(), "summary": {"signatures": len(chosen)}})
    return 0


def _table(entries: tuple[LibraryEntry, ...]) -> list[str]:
    head = ("id", "class", "quality", "size", "channels", "origin", "source", "licence")
    rows = [
        (
            entry.id,
            entry.class_name,
            "-" if entry.quality is None else f"{entry.quality:.2f}",
            f"{entry.width}x{entry.height}",
            str(len(entry.channels)),
            entry.origin.kind.value,
            entry.origin.provenance.source,
            entry.origin.provenance.licence,
        )
        for entry in entries
    ]
    widths = [max(len(row[place]) for row in (head, *rows)) for place in range(len(head))]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)]
