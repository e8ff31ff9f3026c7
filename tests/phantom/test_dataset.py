"""The phantom's data sets: planned, item by item, the same for the same seed, and without shared individuals."""

from __future__ import annotations

import pickle
from collections import Counter

import pytest

from threatray.core import DUAL_ENERGY, box_of_mask
from threatray.errors import ConfigError
from threatray.phantom.dataset import JobKind, PhantomConfig, plan, render_photo, render_scan

SMALL = PhantomConfig(
    image_height=150, image_width=200, pitch_cm=0.27, labelled={"gun": 2, "hammer": 1}, benign=2, validation_threat_per_class=1,
    validation_benign=1, test_threat_per_class=1, test_benign=1, photos_per_class=2, photo_size=96,
)  # fmt: skip


def test_the_plan_holds_what_was_asked():
    counts = Counter((job.kind, job.class_name) for job in plan(SMALL, 1))
    assert counts[JobKind.LABELLED, "gun"] == 2
    assert counts[JobKind.BENIGN, None] == 2
    assert counts[JobKind.VALIDATION, None] == 1
    assert counts[JobKind.TEST, "hammer"] == 1
    assert counts[JobKind.PHOTO, "gun"] == 2


def test_the_default_is_a_long_tail():
    labelled = PhantomConfig().labelled
    assert labelled["gun"] >= 20 * labelled["hammer"]


def test_no_individual_is_in_two_kinds_and_no_seed_twice():
    jobs = plan(PhantomConfig(), 7)
    kinds: dict[str, set[JobKind]] = {}
    for job in jobs:
        kinds.setdefault(job.individual, set()).add(job.kind)
    assert all(len(found) == 1 for found in kinds.values())
    assert len({job.seed for job in jobs}) == len({job.id for job in jobs}) == len(jobs)


def test_jobs_travel_between_processes():
    job = plan(SMALL, 1)[0]
    assert pickle.loads(pickle.dumps(job)) == job


def test_more_items_leave_the_others_as_they_were():
    few = {job.id: job for job in plan(SMALL, 1)}
    more = {job.id: job for job in plan(PhantomConfig(), 1)}
    assert few["gun-0001"] == more["gun-0001"]


def test_a_scan_repeats_to_the_byte_in_any_order():
    jobs = [job for job in plan(SMALL, 2) if job.kind in (JobKind.LABELLED, JobKind.TEST)]
    forward = {job.id: render_scan(job, SMALL) for job in jobs[:3]}
    backward = {job.id: render_scan(job, SMALL) for job in reversed(jobs[:3])}
    for name, scan in forward.items():
        assert scan.sample.image.values.tobytes() == backward[name].sample.image.values.tobytes()
        assert scan.colour.values.tobytes() == backward[name].colour.values.tobytes()


def test_a_labelled_scan_shows_its_threat():
    for job in plan(SMALL, 3):
        if job.kind is not JobKind.LABELLED:
            continue
        scan = render_scan(job, SMALL)
        sample = scan.sample
        assert sample.image.channels == DUAL_ENERGY
        assert sample.image.size == scan.colour.size == SMALL.size
        assert sample.annotations.labels == (job.class_name,)
        assert sample.annotations.masks is not None
        mask = sample.annotations.masks[0]
        assert tuple(sample.annotations.boxes[0]) == box_of_mask(mask)
        assert sample.group == job.individual
        assert sample.provenance.licence == "CC0-1.0"
        assert sample.image.values[1][mask].mean() < 0.9


def test_photo_and_truth_are_the_same_thing_in_the_same_pixels():
    config = PhantomConfig(photos_per_class=3, photo_size=128)
    for job in plan(config, 4):
        if job.kind is JobKind.PHOTO:
            photo = render_photo(job, config)
            both = (photo.mask & photo.truth.mask).sum() / (photo.mask | photo.truth.mask).sum()
            assert both > 0.95, job.id
            assert photo.pixels.shape == (128, 128, 3)
            assert photo.truth.image.size == (128, 128)
            assert not photo.mask[[0, -1]].any()
            assert not photo.mask[:, [0, -1]].any()
            assert photo.truth.class_name == job.class_name


def test_a_photo_repeats_to_the_byte():
    job = next(job for job in plan(SMALL, 5) if job.kind is JobKind.PHOTO)
    first, second = render_photo(job, SMALL), render_photo(job, SMALL)
    assert first.pixels.tobytes() == second.pixels.tobytes()
    assert first.truth.image.values.tobytes() == second.truth.image.values.tobytes()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"benign": -1}, "benign must be a whole number of at least 0, got -1"),
        ({"labelled": {"gun": 1.5}}, r"labelled\['gun'\] must be a whole number"),
        ({"labelled": {}}, "labelled names no class"),
        ({"labelled": {"sword": 1}}, "no threat class 'sword'"),
        ({"pitch_cm": 0.0}, "pitch_cm must be a positive number, got 0.0"),
        ({"image_width": 100}, "Make pitch_cm or the picture larger"),
        ({"photo_size": 8}, "photo_size must be at least 32 pixels, got 8"),
    ],
)
def test_wrong_settings_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        PhantomConfig(**fields)


def test_a_job_of_the_other_sort_is_refused():
    jobs = plan(SMALL, 1)
    with pytest.raises(ConfigError, match="use render_scan"):
        render_photo(jobs[0], SMALL)
    with pytest.raises(ConfigError, match="use render_photo"):
        render_scan(jobs[-1], SMALL)
