"""Whether made signatures are of their class: class agreement, GAN-train and GAN-test."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from threatray.core import Score
from threatray.errors import DataError
from threatray.metrics.features import mean_interval


def class_agreement(probabilities: NDArray[Any], class_index: NDArray[Any], *, extractor: str, name: str = "class agreement") -> Score:
    """Share of items that a classifier takes for what they should be, mean over the classes that are there.

    With a classifier trained on real signatures and made items it is GAN-test; trained on made ones and real items, GAN-train.

    Args:
        probabilities: (N, classes).
        class_index: (N,) what they should be.
        extractor: Name of the classifier.
        name: The figure's name.

    Returns:
        The mean over classes of each class's share, with the 95 % interval over items.

    Raises:
        DataError: Lengths disagree, or nothing to judge.

    Source:
        K. Shmelkov et al., "How good is my GAN?", ECCV 2018.

    Example:
        >>> said = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
        >>> class_agreement(said, np.array([0, 0, 0, 1]), extractor="doc").value  # 2/3 of the first class, all of the second
        0.8333333333333333
    """
    if len(probabilities) != len(class_index) or len(class_index) == 0:
        raise DataError(
            f"class agreement: expected as many labels as items and at least one, got {len(class_index)}, {len(probabilities)}."
        )
    right = (probabilities.argmax(axis=1) == class_index).astype(np.float64)
    classes = sorted(set(class_index.tolist()))
    value = float(np.mean([right[class_index == one].mean() for one in classes]))
    # Each item weighs 1 / (classes * items of its class): the interval is that of the weighted sum.
    weight = np.array([len(right) / (len(classes) * float((class_index == one).sum())) for one in class_index.tolist()])
    spread = np.array([one - right[class_index == kind].mean() for one, kind in zip(right, class_index.tolist(), strict=True)])
    low, high = mean_interval(weight * spread)
    return Score(name, value, max(0.0, value + low), min(1.0, value + high), len(right), extractor, higher_is_better=True)
