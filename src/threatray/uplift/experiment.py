"""One job of the experiment: train one arm with one seed, predict, keep every prediction. The caller repeats, stores and resumes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from threatray.errors import DataError
from threatray.uplift.arms import Arm, Pool
from threatray.uplift.guards import check_no_shared_group
from threatray.uplift.images import ImagePool
from threatray.uplift.predictions import Judged
from threatray.uplift.protocol import Detector, DetectorConfig, OnStep
from threatray.uplift.results import JobResult
from threatray.uplift.sampling import BatchStream, quotas
from threatray.uplift.transforms import ConventionalTransformation

_STRETCHES: Final = 20


def run_job(
    arm: Arm,
    seed: int,
    train_pools: Mapping[Pool, ImagePool],
    validation: ImagePool,
    test: ImagePool,
    detector_config: DetectorConfig,
    *,
    classes: tuple[str, ...],
    transformation: ConventionalTransformation | None = None,
    on_step: OnStep | None = None,
) -> JobResult:
    """Train one arm with one seed and judge it.

    Everything random follows from ``seed`` alone, not from the arm's name: two arms with equal shares of equal pools come out equal.

    Args:
        arm: What to train on.
        seed: Pairs this job with the other arms' jobs of the same seed.
        train_pools: Pictures by pool; those the arm does not draw on are neither loaded nor trained on, but guarded like the rest.
        validation: Pictures that operating points will be chosen on.
        test: Pictures that the figures will be made of.
        detector_config: The detector and its budget, the same for every arm.
        classes: What the detector tells apart, the same for every arm.
        transformation: What ``arm.use_transformation`` means; the usual one if None.
        on_step: Told of each step and its loss.

    Raises:
        ConfigError: The arm draws on a pool that is not given.
        DataError: A group is in two of training, validation and test, a set is empty, or the data cannot be trained on.
    """
    groups = {"training": {group for pool in train_pools.values() for group in pool.groups}}
    check_no_shared_group(groups | {"validation": set(validation.groups), "test": set(test.groups)})
    for name, pool in (("validation", validation), ("test", test)):
        if len(pool) == 0:
            raise DataError(f"uplift: the {name} set is empty.")
    config = detector_config
    detector, losses = _trained(arm, seed, train_pools, config, classes, transformation, on_step)
    judged = [_judged(detector, pool) for pool in (validation, test)]
    return JobResult(
        arm=arm,
        seed=seed,
        detector=config.as_json(),
        classes=classes,
        steps=config.steps,
        batch_size=config.batch_size,
        shown={pool.value: count for pool, count in quotas(arm.shares, config.steps * config.batch_size).items()},
        losses=tuple(
            round(float(part.mean()), 5) for part in np.array_split(np.array(losses), min(_STRETCHES, max(1, len(losses)))) if part.size
        ),
        validation=judged[0],
        test=judged[1],
    )


def judge_on_validation(
    arm: Arm,
    seed: int,
    train_pools: Mapping[Pool, ImagePool],
    validation: ImagePool,
    detector_config: DetectorConfig,
    *,
    classes: tuple[str, ...],
    transformation: ConventionalTransformation | None = None,
) -> tuple[Judged, ...]:
    """Train one arm with one seed and judge it on validation pictures alone: for choosing settings. It is never given the test set.

    Raises:
        ConfigError: The arm draws on a pool that is not given.
        DataError: A group is in training and validation, validation is empty, or the data cannot be trained on.
    """
    groups = {group for pool in train_pools.values() for group in pool.groups}
    check_no_shared_group({"training": groups, "validation": set(validation.groups)})
    if len(validation) == 0:
        raise DataError("uplift: the validation set is empty.")
    detector, _ = _trained(arm, seed, train_pools, detector_config, classes, transformation, None)
    return _judged(detector, validation)


def _trained(
    arm: Arm,
    seed: int,
    pools: Mapping[Pool, ImagePool],
    config: DetectorConfig,
    classes: tuple[str, ...],
    transformation: ConventionalTransformation | None,
    on_step: OnStep | None,
) -> tuple[Detector, list[float]]:
    batches = BatchStream(arm, pools, config.steps, config.batch_size, seed, transformation or ConventionalTransformation())
    detector = config.build(classes, seed)
    losses: list[float] = []

    def keep(step: int, loss: float) -> None:
        losses.append(loss)
        if on_step is not None:
            on_step(step, loss)

    detector.fit(batches, keep)
    return detector, losses


def _judged(detector: Detector, pool: ImagePool) -> tuple[Judged, ...]:
    return tuple(Judged.of(pool[index], found) for index, found in enumerate(detector.predict(pool)))
