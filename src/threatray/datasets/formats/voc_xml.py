"""One VOC annotation as a tree: quick, and deaf to everything that XML can do beside holding text."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, TreeBuilder, XMLParser  # nosec: every DTD is refused below, and with it every entity

from threatray.errors import DataError

_MOST_BYTES: Final = 50_000_000


class _RefusedError(Exception):
    """The document has a DTD."""


class _Builder(TreeBuilder):
    """Builds the tree in C; expat calls ``doctype`` where a DTD begins, before any entity of it can be used, whatever the encoding."""

    def doctype(self, name: str, public_id: str | None, system: str | None) -> None:
        raise _RefusedError(name)


def read_annotation(path: Path) -> Element:
    """The root of an annotation.

    Entities can only be declared in a DTD and external ones only be named there, so refusing the DTD refuses XML bombs and
    files that would be fetched. The parser itself finds it, so that no encoding can hide it from a search through the bytes.

    Args:
        path: A file inside the dataset.

    Raises:
        DataError: Too large, a DTD, no XML, or another element than ``<annotation>``.
    """
    try:
        with path.open("rb") as handle:
            data = handle.read(_MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})") from None
    if len(data) > _MOST_BYTES:
        raise DataError(f"is larger than {_MOST_BYTES:,} bytes, too large for an annotation")
    tree = parse_annotation(data)
    if tree.tag != "annotation":
        raise DataError(f"expected the element <annotation>, got <{str(tree.tag)[:50]}>")
    return tree


def parse_annotation(data: bytes) -> Element:
    """The root element of a document without a DTD.

    Raises:
        DataError: A DTD, or no XML.

    Example:
        >>> parse_annotation(b"<a><b>1</b></a>").findtext("b")
        '1'
    """
    parser: Any = XMLParser(target=_Builder())  # noqa: S314 - see _Builder
    try:
        parser.feed(data)
        tree: Element = parser.close()
    except _RefusedError:
        raise DataError("refused: it declares entities or a DTD, which annotations never need") from None
    except (SyntaxError, ValueError, LookupError) as error:  # ParseError is a SyntaxError; odd encodings raise the others
        raise DataError(f"is not valid XML ({error})") from None
    return tree
