"""One VOC annotation as a tree: quick, and deaf to everything that XML can do beside holding text."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, TreeBuilder, XMLParser  # nosec: every DTD is refused below, and with it every entity

from threatray.datasets.formats.faults import stays_inside
from threatray.errors import DataError

_MOST_BYTES: Final = 50_000_000


class _RefusedError(Exception):
    """The document has a DTD."""


class _Builder(TreeBuilder):
    """Builds the tree in C; expat calls ``doctype`` where a DTD begins, before any entity of it can be used, whatever the encoding."""

    def doctype(self, name: str, public_id: str | None, system: str | None) -> None:
        raise _RefusedError(name)


def parse_annotation(path: Path | str, root: Path, folder: int | None = None) -> Element:
    """The root of an annotation.

    Entities can only be declared in a DTD and external ones only be named there, so refusing the DTD refuses XML bombs and
    files that would be fetched. The parser itself finds it, so that no encoding can hide it from a search through the bytes.

    Args:
        path: The XML.
        root: The dataset's resolved folder, which no link may lead out of.
        folder: The path's folder as it was opened, where many files of one are read: the system need not walk to it each time.

    Raises:
        DataError: A link that leads out, no file, too large, a DTD, no XML, or another element than ``<annotation>``.
    """
    tree = parse_xml(_content(str(path), root, folder))
    if tree.tag != "annotation":
        raise DataError(f"expected the element <annotation>, got <{str(tree.tag)[:50]}>")
    return tree


def _content(path: str, root: Path, folder: int | None = None) -> bytes:
    """A file's bytes in three calls to the system."""
    try:
        handle = os.open(path if folder is None else path.rpartition("/")[2], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise DataError(f"cannot be read ({error.strerror})") from None
        if not stays_inside(Path(path), root):
            raise DataError("is a link that leads out of the dataset") from None
        return _content(str(Path(path).resolve()), root)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise DataError("is no file")
        if status.st_size > _MOST_BYTES:
            raise DataError(f"is larger than {_MOST_BYTES:,} bytes, too large for an annotation")
        return os.read(handle, status.st_size)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})") from None
    finally:
        os.close(handle)


def parse_xml(data: bytes) -> Element:
    """The root element of a document without a DTD.

    Raises:
        DataError: A DTD, or no XML.

    Example:
        >>> parse_xml(b"<a><b>1</b></a>").findtext("b")
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
