"""What is held back is never cut or overdrawn; the best state is kept; a resume decides as an undisturbed training does."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import CLASSES, domains, equal

from threatray.core import DUAL_ENERGY
from threatray.errors import ConfigError
from threatray.synthesis.checkpoint import KeptCheckpoints, load_checkpoint
from threatray.synthesis.config import TrainConfig
from threatray.synthesis.train import CycleGan
from threatray.synthesis.validation import BestSoFar, ValidationConfig, held_back

CONFIG = TrainConfig(size=16, steps=8, batch_size=2, pool_size=3, checkpoint_every=3, validation=ValidationConfig(every=2))
FIGURES = {2: 0.9, 4: 0.3, 6: 0.5, 8: 0.4}


@settings(deadline=None, max_examples=60)
@given(
    members=st.lists(st.tuples(st.integers(0, 12).map(str), st.sampled_from("abc")), max_size=40),
    share=st.floats(0.01, 0.5),
    seed=st.integers(0, 5),
)
def test_no_group_is_cut_and_no_class_gives_more_than_its_share(members, share, seed):
    out = held_back(members, share, np.random.default_rng(seed))
    assert out.shape == (len(members),)
    for group in {group for group, _ in members}:
        assert len({bool(flag) for flag, (name, _) in zip(out, members, strict=True) if name == group}) == 1
    for wanted in {name for _, name in members}:
        all_groups = {group for group, name in members if name == wanted}
        gone = {group for flag, (group, name) in zip(out, members, strict=True) if name == wanted and flag}
        assert len(gone) <= share * len(all_groups) + 1e-9
    assert np.array_equal(out, held_back(members, share, np.random.default_rng(seed)))


def test_the_share_is_reached_where_groups_are_of_one_class():
    members = [(f"{name}{n}", name) for name, count in (("gun", 20), ("knife", 7), ("bat", 3)) for n in range(count)]
    out = held_back(members, 0.3, np.random.default_rng(1))
    assert [int(out[[name == wanted for _, name in members]].sum()) for wanted in ("gun", "knife", "bat")] == [6, 2, 0]


def test_a_figure_that_is_no_number_is_never_the_best():
    best = BestSoFar()
    assert not best.note(1, float("nan"))
    assert best.note(2, 5.0)
    assert not best.note(3, float("inf"))
    again = BestSoFar()
    again.restore(best.state())
    assert vars(again) == vars(best)
    fresh = BestSoFar()
    fresh.restore(BestSoFar().state())
    assert vars(fresh) == vars(BestSoFar())


def fitted(path, config=CONFIG, figures=FIGURES, stops=()):
    """A training that is asked to stop at some steps and goes on each time; the steps that were examined, and the model."""
    seen = []
    for last in (*stops, None):
        model = CycleGan(config, CLASSES, DUAL_ENERGY, seed=3)

        def examine(current, step):
            assert step == current.step
            seen.append(step)
            return {"kid": figures.get(current.step, 1.0), "other": 0.0}

        ended = model.fit(
            *domains(),
            checkpoint=path,
            examine=examine,
            should_stop=lambda: last is not None and model.step >= last,  # noqa: B023
        )
    return seen, model, ended


def test_the_best_state_is_kept_beside_the_last_two(tmp_path):
    path = tmp_path / "checkpoint.pt"
    seen, model, ended = fitted(path)
    assert seen == [2, 4, 6, 8]
    assert (ended.best_step, ended.finished, ended.stopped_early) == (4, True, False)
    kept = KeptCheckpoints(path, 3)
    assert [load_checkpoint(each)["step"] for each in (kept.best, kept.previous, path)] == [4, 6, 8]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["best.pt", "checkpoint.pt", "checkpoint_previous.pt"]
    last = {name: weight.clone() for name, weight in model.ema.state_dict().items()}
    model.restore(kept.best)
    assert model.step == 4
    assert not equal(last, dict(model.ema.state_dict()))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    fitted(folder / "checkpoint.pt")
    return folder


@pytest.mark.parametrize("stops", [(3,), (4, 5), (2, 5, 7)])
def test_stops_anywhere_leave_the_same_three_files_to_the_byte(tmp_path, stops, undisturbed):
    fitted(tmp_path / "checkpoint.pt", stops=stops)
    for name in ("best.pt", "checkpoint.pt", "checkpoint_previous.pt"):
        assert (undisturbed / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_patience_ends_it_and_is_remembered(tmp_path):
    config = replace(CONFIG, steps=20, validation=ValidationConfig(every=2, patience=2))
    path = tmp_path / "checkpoint.pt"
    seen, _, ended = fitted(path, config, stops=(5,))
    assert seen == [2, 4, 6, 8]  # 4 was the best, 6 and 8 were not better
    assert (ended.steps, ended.finished, ended.stopped_early, ended.best_step) == (8, True, True, 4)
    before = path.read_bytes()
    again, _, ended = fitted(path, config)
    assert (again, ended.steps, ended.stopped_early) == ([], 8, True)
    assert path.read_bytes() == before


def test_without_examinations_nothing_is_best(tmp_path):
    path = tmp_path / "checkpoint.pt"
    seen, _, ended = fitted(path, replace(CONFIG, validation=ValidationConfig()))
    assert (seen, ended.best_step) == ([], 0)
    assert not KeptCheckpoints(path, 3).best.exists()


def test_a_checkpoint_that_cannot_be_read_is_passed_over_for_the_one_before(tmp_path, undisturbed):
    path = tmp_path / "checkpoint.pt"
    for each in undisturbed.iterdir():
        shutil.copy(each, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert KeptCheckpoints(path, 3).load()["step"] == 6
    fitted(path)
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"every": -1}, "every and patience must be 0 or more, got -1 and 0"),
        ({"share": 0.0}, r"share must lie in \(0, 0.5\], got 0.0"),
        ({"share": 0.6}, r"share must lie in \(0, 0.5\], got 0.6"),
        ({"patience": 3}, "patience counts examinations, and every is 0"),
    ],
)
def test_refuses_a_validation_that_cannot_be(change, text):
    with pytest.raises(ConfigError, match=text):
        ValidationConfig(**change)
