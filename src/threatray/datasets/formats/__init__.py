"""One module a format, and one function that reads them all."""

from threatray.datasets.formats.registry import FORMATS, read_dataset

__all__ = ["FORMATS", "read_dataset"]
