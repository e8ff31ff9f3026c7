"""One labelled image with where it came from."""

from __future__ import annotations

from dataclasses import dataclass

from threatray.core.annotations import Annotations
from threatray.core.image import XrayImage


@dataclass(frozen=True)
class Provenance:
    """Where a picture came from and under which terms; kept through every stage into each composite."""

    source: str = "unknown"
    licence: str = "unknown"

    def joined(self, *others: Provenance) -> Provenance:
        """Of a picture made from several: every distinct source and licence, in order; an unknown one stays visible.

        Example:
            >>> Provenance("bags", "CC0-1.0").joined(Provenance("guns", "CC-BY-4.0"), Provenance("knives", "CC0-1.0"))
            Provenance(source='bags + guns + knives', licence='CC0-1.0 + CC-BY-4.0')
        """
        parts = (self, *others)
        sources = dict.fromkeys(word for part in parts for word in part.source.split(" + "))
        licences = dict.fromkeys(word for part in parts for word in part.licence.split(" + "))
        return Provenance(" + ".join(sources), " + ".join(licences))


@dataclass(frozen=True, eq=False)
class Sample:
    """An image, what is in it, and the physical bag or object (``group``) that no split may cut."""

    id: str
    image: XrayImage
    annotations: Annotations
    group: str
    provenance: Provenance = Provenance()
