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


@dataclass(frozen=True, eq=False)
class Sample:
    """An image, what is in it, and the physical bag or object (``group``) that no split may cut."""

    id: str
    image: XrayImage
    annotations: Annotations
    group: str
    provenance: Provenance = Provenance()
