"""Which translated signatures may be used: one verdict and one reason each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from threatray.core import BoolArray, Signature
from threatray.errors import ConfigError, DataError


class Reason(StrEnum):
    """Why a signature was taken or turned away; the first that applies, in this order."""

    ACCEPTED = "accepted"
    TOO_TRANSPARENT = "too_transparent"
    SATURATED = "saturated"
    SILHOUETTE_MOVED = "silhouette_moved"
    NOT_RECOGNISED = "not_recognised"


@dataclass(frozen=True)
class GateConfig:
    """The limits.

    Args:
        least_attenuation: A pixel counts as object where its mean attenuation exceeds this; 0.02 is 2 % of the light.
        least_mean_attenuation: Mean attenuation inside the mask below which a thing would not be seen in a bag.
        saturated_transmission: A pixel counts as black where every channel is below this.
        most_saturated: Largest share of black pixels inside the mask.
        least_iou: Of the object's pixels with the photo's mask.
        least_class_probability: That an encoder trained on real signatures gives to the wanted class.
    """

    least_attenuation: float = 0.02
    least_mean_attenuation: float = 0.05
    saturated_transmission: float = 0.01
    most_saturated: float = 0.8
    least_iou: float = 0.8
    least_class_probability: float = 0.2

    def __post_init__(self) -> None:
        for name in ("saturated_transmission", "most_saturated", "least_iou", "least_class_probability"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"gate: {name} must lie in [0, 1], got {getattr(self, name)}.")
        for name in ("least_attenuation", "least_mean_attenuation"):
            if not 0.0 <= getattr(self, name) <= 10.0:
                raise ConfigError(f"gate: {name} must lie in [0, 10], got {getattr(self, name)}.")


@dataclass(frozen=True)
class Verdict:
    """The gate's answer with the figures it rests on."""

    accepted: bool
    reason: Reason
    silhouette_iou: float
    class_probability: float
    mean_attenuation: float
    saturated: float


def judge(signature: Signature, photo_mask: BoolArray, class_probability: float, config: GateConfig | None = None) -> Verdict:
    """Accept or turn away one translated signature.

    Args:
        signature: What the translator made.
        photo_mask: (H, W) bool, the object in the photo.
        class_probability: Of the wanted class, from a classifier of real signatures; 1 if there is none.
        config: The limits.

    Raises:
        DataError: The mask has another size than the signature.

    Example:
        >>> from threatray.core import GREY, Origin, OriginKind, Quantity, XrayImage
        >>> mask = np.zeros((8, 8), bool); mask[2:6, 2:6] = True
        >>> values = np.where(mask, np.float32(0.5), np.float32(1.0))[None]
        >>> thing = Signature("a", XrayImage(values, Quantity.TRANSMISSION, GREY), mask, "gun", Origin(OriginKind.TRANSLATED, "a", "a"))
        >>> judge(thing, mask, 0.9).reason.value, judge(thing, ~mask, 0.9).reason.value
        ('accepted', 'silhouette_moved')
    """
    limits = config or GateConfig()
    if photo_mask.shape != signature.mask.shape:
        raise DataError(f"gate: signature {signature.id} is {signature.mask.shape}, the photo's mask {photo_mask.shape}.")
    attenuation = signature.image.attenuation().values.mean(axis=0)
    seen = attenuation > limits.least_attenuation
    union = float((seen | photo_mask).sum())
    iou = float((seen & photo_mask).sum()) / union if union else 0.0
    mean = float(attenuation[signature.mask].mean())
    dark: BoolArray = np.max(signature.image.values, axis=0) < limits.saturated_transmission
    black = float(dark[signature.mask].mean())
    if mean < limits.least_mean_attenuation:
        reason = Reason.TOO_TRANSPARENT
    elif black > limits.most_saturated:
        reason = Reason.SATURATED
    elif iou < limits.least_iou:
        reason = Reason.SILHOUETTE_MOVED
    elif not class_probability >= limits.least_class_probability:  # NaN is not recognised either
        reason = Reason.NOT_RECOGNISED
    else:
        reason = Reason.ACCEPTED
    return Verdict(reason is Reason.ACCEPTED, reason, iou, float(class_probability), mean, black)
