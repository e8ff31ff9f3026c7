"""Settings of a detector."""

from threatray.uplift.detector import FasterRcnnConfig

__all__ = ["FasterRcnnConfig"]
