"""A signature library that remembers the pixels it read last."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from threatray.core.signature import Signature
from threatray.tip.library import LibraryEntry, SignatureLibrary

_BYTES: Final = 64_000_000
_HELD_PER_BYTE: Final = 3
"""A signature's pixels, its attenuation that ``vary`` keeps, and masks: about three times its transmission."""


@dataclass(frozen=True, eq=False)
class CachedLibrary:
    """``SignatureLibrary.load`` without reading a file twice in a row; the least recently used go first.

    Args:
        library: Where they come from.
        most_bytes: About how much memory they may take.
    """

    library: SignatureLibrary
    most_bytes: int = _BYTES
    _held: OrderedDict[str, Signature] = field(default_factory=OrderedDict, repr=False)

    def load(self, signature_id: str) -> Signature:
        """The signature.

        Raises:
            DataError: As ``SignatureLibrary.load``.
        """
        found = self._held.get(signature_id)
        if found is None:
            found = self._held[signature_id] = self.library.load(signature_id)
            while len(self._held) > 1 and self._size() > self.most_bytes:
                self._held.popitem(last=False)
        self._held.move_to_end(signature_id)
        return found

    def entry(self, signature_id: str) -> LibraryEntry:
        """The index entry.

        Raises:
            DataError: No such id.
        """
        return self.library.entry(signature_id)

    def _size(self) -> int:
        held = [(signature.image.values, signature.grain) for signature in self._held.values()]
        return _HELD_PER_BYTE * sum(values.nbytes + (0 if grain is None else grain.nbytes) for values, grain in held)

    def __reduce__(self) -> tuple[type[CachedLibrary], tuple[SignatureLibrary, int]]:
        # What is remembered stays here: another process reads its own.
        return type(self), (self.library, self.most_bytes)
