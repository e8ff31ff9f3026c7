"""A finished COCO dataset written once more in other formats, through nothing but what every format module offers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from threatray.core.manifest import SetAside
from threatray.datasets.formats import registry
from threatray.datasets.formats.format import Format
from threatray.errors import ConfigError

FOLDER: Final = "formats"


def check_formats(names: Sequence[str]) -> None:
    """Refuse names that no format has, or whose format is only read.

    Raises:
        ConfigError: With the names that can be written.
    """
    known = _writable()
    for name in names:
        if name not in known:
            raise ConfigError(
                f"compose: cannot write {name!r}. Formats that can be written beside COCO: {', '.join(sorted(known)) or 'none'}."
            )


def write_formats(folder: Path, names: Sequence[str]) -> list[SetAside]:
    """Write the dataset in ``folder`` again as ``folder/formats/<name>``, pictures copied byte for byte.

    Returns:
        Images that a format cannot hold, with its reason.
    """
    if not names:
        return []
    dataset = registry.read_dataset(folder, "coco")
    aside: list[SetAside] = []
    for name in names:
        target = folder / FOLDER / name
        target.mkdir(parents=True)
        write = _writable()[name].write
        assert write is not None
        aside += [SetAside(f"{name}: {entry.item}", entry.reason) for entry in write(target, dataset.classes, dataset.entries)]
    return aside


def _writable() -> dict[str, Format]:
    formats: Sequence[object] = registry.FORMATS
    return {one.name: one for one in formats if isinstance(one, Format) and one.write is not None and one.name != "coco"}
