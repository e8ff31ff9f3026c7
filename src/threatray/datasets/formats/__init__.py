"""One module a format, and one function that reads them all."""

from threatray.datasets.formats.registry import FORMATS, detect_format, format_of, read_dataset, stream_dataset

__all__ = ["FORMATS", "detect_format", "format_of", "read_dataset", "stream_dataset"]
