"""The figures of the scoring stage: which there are, what they are called, and that no half judges itself."""

from __future__ import annotations

import numpy as np

from threatray.pipeline.fidelity import _halves, memorisation_scores, set_scores, variety_scores


def test_every_figure_names_both_sets_and_its_features() -> None:
    rng = np.random.default_rng(0)
    found = set_scores(
        rng.normal(size=(30, 4)), rng.normal(size=(40, 4)), pair="made, real", extractor="eyes", seed=1, subsets=5, neighbours=5
    )
    assert [one.name for one in found] == [f"{name}(made, real)" for name in ("KID", "FID", "precision", "recall", "density", "coverage")]
    assert {one.extractor for one in found} == {"eyes"}
    assert all(one.low is not None and one.low <= one.value <= (one.high or 0) for one in found)


def test_sets_smaller_than_the_neighbours_still_have_figures() -> None:
    rng = np.random.default_rng(1)
    found = set_scores(rng.normal(size=(4, 2)), rng.normal(size=(4, 2)), pair="a, b", extractor="eyes", seed=1, subsets=2, neighbours=5)
    assert len(found) == 6


def test_halves_share_nothing_and_each_class_of_two_is_in_both() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    half = _halves(labels, 3)
    assert {0, 1} <= set(labels[half].tolist())
    assert {0, 1} <= set(labels[~half].tolist())
    assert not half[5]  # a class of one cannot be in both


def test_a_copy_comes_first_among_the_nearest() -> None:
    rng = np.random.default_rng(2)
    training = rng.normal(size=(20, 3))
    made = np.concatenate([rng.normal(size=(14, 3)), training[[6]]])
    names = [f"m{place}" for place in range(15)], [f"t{place}" for place in range(20)]
    scores, nearest = memorisation_scores(made, training, rng.normal(size=(20, 3)), *names, "eyes", 0)
    assert (nearest[0]["id"], nearest[0]["nearest"], nearest[0]["distance"]) == ("m14", "t6", 0.0)
    assert len(nearest) == 12
    assert [one["distance"] for one in nearest] == sorted(one["distance"] for one in nearest)
    assert len(scores) == 2
    assert len(memorisation_scores(made, training, None, *names, "eyes", 0)[0]) == 1


def test_variety_is_by_class_and_counts_each_duplicate_once() -> None:
    rng = np.random.default_rng(3)
    real, made = rng.normal(size=(24, 3)), rng.normal(size=(12, 3))
    made[1] = made[0]
    classes = np.arange(12) // 6, np.arange(24) // 12
    found = {one.name: one for one in variety_scores(made, real, *classes, ("gun", "knife", "saw"), "eyes", 0)}
    assert set(found) == {
        "diversity of gun (translated / real)",
        "diversity of knife (translated / real)",
        "share of translations with a near-duplicate",
    }
    assert found["share of translations with a near-duplicate"].value == 2 / 12
