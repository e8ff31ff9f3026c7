"""Names of translators: the known ones, and how one of your own is written."""

from __future__ import annotations

import re
from typing import Final

from threatray.errors import ConfigError

TRANSLATORS: Final = {
    "cyclegan": "threatray.synthesis.train:CycleGan",
    "cut": "threatray.synthesis.cut:Cut",
    "fastcut": "threatray.synthesis.cut:FastCut",
}
"""Short name -> module and attribute."""

_ENTRY: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def check_translator_name(name: str) -> None:
    """Complain about a name that is neither known nor written ``module:attribute``.

    Raises:
        ConfigError: It is neither.

    Example:
        >>> check_translator_name("fast-cut")
        Traceback (most recent call last):
        threatray.errors.ConfigError: train: translator is one of cyclegan, cut, fastcut, or your own 'module:attribute'; got 'fast-cut'.
    """
    if name not in TRANSLATORS and not _ENTRY.fullmatch(name):
        raise ConfigError(f"train: translator is one of {', '.join(TRANSLATORS)}, or your own 'module:attribute'; got {name!r}.")
