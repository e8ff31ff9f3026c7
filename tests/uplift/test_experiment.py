from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest

from threatray.core import stream
from threatray.errors import ConfigError, DataError
from threatray.uplift.arms import STANDARD_ARMS, Arm, Pool
from threatray.uplift.experiment import run_job
from threatray.uplift.figures import SummarySettings, located_score
from threatray.uplift.guards import check_comparable, check_no_shared_group
from threatray.uplift.images import ImagePool, MemoryPool
from threatray.uplift.predictions import Detections, Judged
from threatray.uplift.protocol import Batches, OnStep
from threatray.uplift.results import JobResult
from threatray.uplift.summary import NO_EFFECT, summarise

CLASSES = ("gun", "knife")


@dataclass(frozen=True)
class StubConfig:
    """Finds every truth with a score that depends on the seed and on how many pictures of our making it was shown."""

    steps: int = 6
    batch_size: int = 4
    gain: float = 0.0

    def build(self, classes: tuple[str, ...], seed: int) -> StubDetector:
        del classes
        return StubDetector(seed, self.gain)

    def as_json(self) -> dict[str, Any]:
        return {"detector": "stub", "gain": self.gain}


class StubDetector:
    def __init__(self, seed: int, gain: float) -> None:
        self.seed, self.gain, self.made, self.shown = seed, gain, 0, 0

    def fit(self, batches: Batches, on_step: OnStep | None = None) -> None:
        for step, batch in enumerate(batches, start=1):
            self.shown += len(batch)
            self.made += sum(image.id.startswith("made") for image in batch)
            if on_step is not None:
                on_step(step, 1.0 / step)

    def predict(self, images: ImagePool) -> tuple[Detections, ...]:
        found = []
        skill = self.gain * self.made / self.shown
        for index in range(len(images)):
            image = images[index]
            rng = stream(self.seed, "stub", image.id)
            boxes, labels = image.boxes, image.labels
            if not image.has_threat:
                boxes, labels = np.array([[1, 1, 9, 9]], np.float32), ("gun",)
            scores = np.clip(rng.normal(0.5 + (skill if image.has_threat else -skill), 0.15, len(labels)), 0, 1)
            found.append(Detections.of(boxes, scores, labels))
        return tuple(found)


MakePool = Callable[..., MemoryPool]


@pytest.fixture(scope="module")
def sets(make_pool: MakePool) -> tuple[dict[Pool, ImagePool], MemoryPool, MemoryPool]:
    pools: dict[Pool, ImagePool] = {
        Pool.BENIGN: make_pool("benign", 0, 10),
        Pool.REAL: make_pool("real", 8, 0),
        Pool.TRANSLATED: make_pool("made", 10, 0),
    }
    return pools, make_pool("validation", 15, 15), make_pool("test", 40, 60)


Sets = tuple[dict[Pool, ImagePool], MemoryPool, MemoryPool]


def jobs(sets: Sets, names: tuple[str, ...], seeds: tuple[int, ...], config: StubConfig | None = None) -> list[JobResult]:
    return [run_job(STANDARD_ARMS[name], seed, *sets, config or StubConfig(), classes=CLASSES) for name in names for seed in seeds]


def test_equal_arms_and_seeds_differ_by_exactly_nothing(sets: Sets) -> None:
    twin = Arm("twin", STANDARD_ARMS["real_only"].shares)
    results = jobs(sets, ("real_only",), (0, 1)) + [run_job(twin, seed, *sets, StubConfig(), classes=CLASSES) for seed in (0, 1)]
    summary = summarise(results)
    for one in summary.differences:
        assert (one.value, one.low, one.high, one.verdict) == (0.0, 0.0, 0.0, NO_EFFECT)
    assert summary.difference("twin", "ap50").sentence == "twin: AP50 changed by 0.0 points [0.0, 0.0] against real_only: no effect shown."


def test_a_result_comes_back_from_json_as_it_was(sets: Sets) -> None:
    result = jobs(sets, ("synthesis",), (0,))[0]
    assert JobResult.from_json(json.loads(json.dumps(result.to_json()))) == result
    assert result.shown == {"benign": 7, "real": 7, "translated": 10}
    assert result.key == ("synthesis", 0)
    assert result.losses[0] == 1.0


def test_the_summary_made_from_the_file_is_the_one_made_from_memory(sets: Sets) -> None:
    results = jobs(sets, ("real_only", "synthesis"), (0, 1))
    again = [JobResult.from_json(json.loads(json.dumps(result.to_json()))) for result in results]
    assert json.dumps(summarise(again).as_json()) == json.dumps(summarise(results).as_json())


def test_a_real_gain_is_shown_and_its_absence_is_not(sets: Sets) -> None:
    seeds = (0, 1, 2)
    helped = summarise(jobs(sets, ("real_only", "synthesis"), seeds, StubConfig(gain=0.6)))
    gain = helped.difference("synthesis", "fpr_at_tpr_0.94")
    assert gain.value < -0.2
    assert gain.verdict == "better"
    assert gain.sentence.startswith("synthesis: FPR at TPR 0.94 changed by -")
    assert helped.difference("synthesis", "ap50").verdict == "better"
    unhelped = summarise(jobs(sets, ("real_only", "transformation"), seeds, StubConfig(gain=0.6)))
    assert {one.verdict for one in unhelped.differences} == {NO_EFFECT}


def test_the_operating_point_never_sees_the_test_set(sets: Sets) -> None:
    result = jobs(sets, ("real_only",), (0,))[0]
    before = summarise([result]).figure("real_only", "fpr_at_tpr_0.94").mean

    def deaf(found: Detections) -> Detections:
        return Detections(found.boxes, (0.0,) * len(found.scores), found.labels)

    # The scores of threat pictures of the test set fall to nothing: its TPR falls, but not the threshold, so not the FPR.
    changed = replace(result, test=tuple(replace(one, found=deaf(one.found)) if one.has_threat else one for one in result.test))
    after = summarise([changed])
    assert after.figure("real_only", "fpr_at_tpr_0.94").mean == before
    assert after.figure("real_only", "tpr").mean == 0
    assert after.figure("real_only", "fpr_at_tpr_0.94_test_roc").mean == 1


def test_an_alarm_elsewhere_in_a_threat_bag_is_not_a_threat_found(sets: Sets) -> None:
    result = jobs(sets, ("real_only",), (0,))[0]

    def moved(found: Detections, by: float) -> Detections:
        return Detections(tuple((x0 + by, y0, x1 + by, y1) for x0, y0, x1, y1 in found.boxes), found.scores, ("other",) * len(found.labels))

    def figures(by: float) -> tuple[float, float]:
        changed = replace(result, test=tuple(replace(one, found=moved(one.found, by)) for one in result.test))
        summary = summarise([changed])
        return summary.figure("real_only", "tpr").mean, summary.figure("real_only", "tpr_located").mean

    there, elsewhere = figures(0.0), figures(5000.0)
    assert there[0] == elsewhere[0] > 0
    assert there[0] >= there[1] > 0  # of whatever class it is said to be
    assert elsewhere[1] == 0


def test_located_scores_by_hand() -> None:
    found = Detections(((0, 0, 10, 10), (50, 50, 60, 64), (50, 50, 60, 60)), (0.9, 0.7, 0.4), ("gun", "gun", "knife"))
    judged = Judged("a", "a", ((50, 50, 60, 60),), ("knife",), found)
    assert located_score(judged) == 0.7
    assert located_score(replace(judged, truth_boxes=((20, 20, 30, 30),))) == -1.0
    assert located_score(replace(judged, truth_boxes=(), truth_labels=())) == -1.0
    assert located_score(replace(judged, found=Detections.none())) == -1.0


def test_the_summary_as_json_holds_every_field(sets: Sets) -> None:
    summary = summarise(jobs(sets, ("real_only", "synthesis"), (0, 1)))
    data = json.loads(json.dumps(summary.as_json(), allow_nan=False))
    assert set(data) == {field.name for field in fields(summary)}
    assert data["baseline"] == "real_only"
    assert {one["measure"] for one in data["figures"]} == {one["name"] for one in data["measures"]}
    assert set(data["figures"][0]["per_seed"]) == {"0", "1"}
    assert summary.verdicts
    assert all(sentence.startswith("synthesis: ") for sentence in summary.verdicts)


def test_unfinished_experiments_are_summed_up_and_say_so(sets: Sets) -> None:
    summary = summarise(jobs(sets, ("real_only",), (0, 1)) + jobs(sets, ("synthesis",), (0,)))
    assert summary.missing == ("arm 'synthesis' has no result yet for seed 1",)
    assert "one seed: says nothing on other trainings" in summary.difference("synthesis", "ap50").sentence
    alone = summarise(jobs(sets, ("synthesis",), (0,)))
    assert alone.differences == ()


def test_imbalance_changes_precision_and_not_the_false_alarm_rate(sets: Sets) -> None:
    summary = summarise(jobs(sets, ("real_only",), (0,)), SummarySettings(benign_per_threat=(1, 1000)))
    assert summary.figure("real_only", "ap50_benign_1000").mean < summary.figure("real_only", "ap50_benign_1").mean


def test_a_group_in_training_and_test_is_refused_and_named(sets: Sets) -> None:
    pools, validation, test = sets
    leaked = MemoryPool((*pools[Pool.REAL].images, replace(test[3], id="copy")))  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="training and test share 1 group: 'test-3'"):
        run_job(STANDARD_ARMS["real_only"], 0, pools | {Pool.REAL: leaked}, validation, test, StubConfig(), classes=CLASSES)
    with pytest.raises(DataError, match="validation and test share 100 groups: 'test-0', 'test-1'"):
        run_job(STANDARD_ARMS["real_only"], 0, pools, test, test, StubConfig(), classes=CLASSES)


def test_splits_that_share_nothing_pass() -> None:
    check_no_shared_group({"training": ["a", "a", "b"], "validation": ["c"], "test": []})


def test_an_arm_with_fewer_steps_is_refused(sets: Sets) -> None:
    results = jobs(sets, ("real_only",), (0,)) + jobs(sets, ("synthesis",), (0,), StubConfig(steps=5))
    with pytest.raises(
        ConfigError, match=r"'real_only' \(seed 0\) was trained on 6 steps of 4 pictures, arm 'synthesis' \(seed 0\) on 5 of 4"
    ):
        summarise(results)


def test_what_cannot_be_compared_is_refused(sets: Sets) -> None:
    first = jobs(sets, ("real_only",), (0,))[0]
    other = replace(first, seed=1)
    with pytest.raises(DataError, match="there is no result yet"):
        check_comparable([])
    with pytest.raises(DataError, match="arm 'real_only' with seed 0 is there twice"):
        check_comparable([first, first])
    with pytest.raises(ConfigError, match="different detector settings"):
        check_comparable([first, replace(other, detector={"detector": "other"})])
    with pytest.raises(DataError, match="different classes"):
        check_comparable([first, replace(other, classes=("gun",))])
    with pytest.raises(DataError, match="two different arms are called 'real_only'"):
        check_comparable([first, replace(other, arm=Arm("real_only", {Pool.REAL: 1.0}))])
    swapped = replace(other, test=(replace(other.test[0], truth_labels=("knife",)), *other.test[1:]))
    with pytest.raises(DataError, match="was judged on another test set than arm 'real_only'"):
        check_comparable([first, swapped])
    with pytest.raises(ConfigError, match="no result of an arm called 'synthesis'; there are real_only"):
        summarise([first], compare=[("synthesis", "real_only")])


def test_a_line_that_was_cut_is_refused(sets: Sets) -> None:
    data = jobs(sets, ("real_only",), (0,))[0].to_json()
    with pytest.raises(DataError, match="the field 'seed' is missing"):
        JobResult.from_json({key: value for key, value in data.items() if key != "seed"})
    with pytest.raises(DataError, match="expected format 1, got None"):
        JobResult.from_json({})


def test_summing_up_needs_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, threatray.uplift.summary, threatray.uplift.experiment, threatray.uplift.config; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def swapped(result: JobResult, names: dict[str, str]) -> JobResult:
    test = [replace(one, truth_labels=tuple(names.get(label, label) for label in one.truth_labels)) for one in result.test]
    return replace(result, test=tuple(test))


def test_swapped_test_labels_are_shown(sets: Sets) -> None:
    results = jobs(sets, ("real_only", "synthesis"), (0, 1), StubConfig(gain=0.5))
    assert not [note for note in summarise(results).notes if "exchanged" in note]
    exchanged = [swapped(result, {"gun": "knife", "knife": "gun"}) for result in results]
    notes = [note for note in summarise(exchanged).notes if "exchanged" in note]
    assert len(notes) == 2
    assert notes[0].startswith("Test labels look exchanged: of 80 found threats labelled 'gun', detectors called 80 'knife'; on validation")


def test_threats_and_benign_bags_exchanged_in_the_test_set_are_shown(sets: Sets) -> None:
    results = jobs(sets, ("synthesis",), (0, 1), StubConfig(gain=0.5))
    threats = [one for one in results[0].test if one.has_threat]
    exchanged = []
    for result in results:
        given = iter(threats)
        test = []
        for one in result.test:
            truth = None if one.has_threat else next(given, None)
            boxes, labels = (truth.truth_boxes, truth.truth_labels) if truth else ((), ())
            test.append(replace(one, truth_boxes=boxes, truth_labels=labels))
        exchanged.append(replace(result, test=tuple(test)))
    notes = [note for note in summarise(exchanged).notes if "exchanged" in note]
    assert len(notes) == 1
    assert notes[0].startswith("Threat and benign look exchanged in the test set")


def test_each_level_of_difficulty_has_its_own_figures(sets: Sets) -> None:
    pools, validation, test = sets
    levels = {True: ("easy", "hard"), False: ("", "")}
    marked = MemoryPool(tuple(replace(image, difficulty=levels[image.has_threat][place % 2]) for place, image in enumerate(test.images)))
    result = run_job(STANDARD_ARMS["real_only"], 0, pools, validation, marked, StubConfig(gain=0.5), classes=CLASSES)
    assert JobResult.from_json(json.loads(json.dumps(result.to_json()))) == result
    blind = [replace(one, found=Detections.none()) if one.difficulty == "hard" else one for one in result.test]
    summary = summarise([replace(result, test=tuple(blind))])
    assert summary.figure("real_only", "tpr_at/hard").mean == 0
    assert summary.figure("real_only", "ap50_at/hard").mean == 0
    assert summary.figure("real_only", "tpr_at/easy").mean > 0.8
    every = summary.figure("real_only", "tpr").mean
    assert every == pytest.approx(summary.figure("real_only", "tpr_at/easy").mean / 2)
    assert not any(measure.name.startswith("tpr_at/") for measure in summarise(jobs(sets, ("real_only",), (0,))).measures)


def test_scaling_is_fitted_on_validation_alone(sets: Sets) -> None:
    result = jobs(sets, ("synthesis",), (0,), StubConfig(gain=0.7))[0]
    names = [measure.name for measure in summarise([result]).measures]
    assert {"ece", "ece_scaled"} <= set(names)

    def boast(found: Detections) -> Detections:
        return replace(found, scores=tuple(min(1.0, 0.9 + score / 10) for score in found.scores))

    loud = [tuple(replace(one, found=boast(one.found)) for one in part) for part in (result.validation, result.test)]
    summary = summarise([replace(result, validation=loud[0], test=loud[1])])
    assert summary.figure("synthesis", "ece").mean > 0.4
    assert summary.figure("synthesis", "ece_scaled").mean < 0.2
    lost = replace(result, test=loud[1])  # the validation set's own scores no longer fit the test set's
    assert summarise([lost]).figure("synthesis", "ece_scaled").mean > 0.4
