"""The few values that every package speaks."""

from threatray.core.annotations import Annotations, box_of_mask
from threatray.core.image import COLOUR, DUAL_ENERGY, GREY, TRANSMISSION_FLOOR, BoolArray, FloatArray, Quantity, XrayImage
from threatray.core.manifest import RunManifest, SetAside
from threatray.core.sample import Provenance, Sample
from threatray.core.score import Score
from threatray.core.seeding import derive, stream
from threatray.core.signature import Origin, OriginKind, Signature
from threatray.core.transform import Transform

__all__ = [
    "COLOUR",
    "DUAL_ENERGY",
    "GREY",
    "TRANSMISSION_FLOOR",
    "Annotations",
    "BoolArray",
    "FloatArray",
    "Origin",
    "OriginKind",
    "Provenance",
    "Quantity",
    "RunManifest",
    "Sample",
    "Score",
    "SetAside",
    "Signature",
    "Transform",
    "XrayImage",
    "box_of_mask",
    "derive",
    "stream",
]
