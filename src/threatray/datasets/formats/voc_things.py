"""The objects of a VOC annotation as things of one image, for published datasets that keep their boxes so (SIXray, EDS)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from threatray.datasets.formats.native import Things
from threatray.datasets.formats.native_files import number_in
from threatray.errors import DataError


def add_objects(tree: Any, things: Things, item: str) -> None:
    """The objects of a VOC annotation.

    Args:
        tree: From ``parse_annotation``.
        things: Takes them; broken ones are set aside.
        item: What to call the annotation in a message.
    """
    for place, thing in enumerate(tree.findall("object"), 1):
        corners = [number_in((thing.findtext(f"bndbox/{tag}") or "").strip()) for tag in ("xmin", "ymin", "xmax", "ymax")]
        things.add(f"{item}, object {place}", thing.findtext("name"), corners)


def check_size(tree: Any, image: Path, width: int, height: int) -> None:
    """Refuse an annotation made for a picture of another size.

    Raises:
        DataError: The annotation says a size, and it is another one.
    """
    said = tuple((tree.findtext(f"size/{side}") or "0").strip() for side in ("width", "height"))
    if any(text not in ("0", "0.0") for text in said) and said != (str(width), str(height)):
        raise DataError(f"annotates a picture of {said[0][:20]}x{said[1][:20]} pixels, but {image.name} has {width}x{height}")
