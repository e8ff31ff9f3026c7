"""The published X-ray security datasets that read in their own layout."""

from __future__ import annotations

from typing import Final

from threatray.datasets.formats import (
    clcxray,
    compass_xp,
    dvxray,
    eds,
    gdxray,
    hixray,
    ldxray,
    opixray,
    pidray,
    pixray,
    sixray,
    stcray,
    xray_fsod,
)
from threatray.datasets.formats.format import Format

_MODULES: Final = (sixray, opixray, hixray, eds, xray_fsod, pidray, clcxray, pixray, gdxray, dvxray, ldxray, stcray, compass_xp)

PUBLISHED_FORMATS: Final[tuple[Format, ...]] = tuple(module.FORMAT for module in _MODULES)
"""No folder is laid out as two of them; all are to be asked before the general formats, which would take some of them too."""
