"""Datasets under their roles, one taxonomy, and the parts of a split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from threatray.core import COLOUR, Annotations, Provenance, Quantity, Sample, XrayImage
from threatray.core.files import write_json
from threatray.datasets.formats.coco import image_record, write_annotations, write_images
from threatray.datasets.taxonomy import ThreatClass, Vocabulary
from threatray.errors import ConfigError, DataError
from threatray.pipeline.progress import Progress
from threatray.pipeline.sources import SPLIT_FILE, PartName, Role, Sources, Taxonomy, read_parts
from threatray.pipeline.stage import Run
from threatray.pipeline.stages.split_stage import SplitConfig, split
from threatray.pipeline.views import TransmissionView

RUN = Run(seed=1, progress=Progress(quiet=True), workers=1)


def dataset(folder: Path, *labelled: tuple[str, ...]) -> Path:
    """One scan of 37 rows and 31 columns for each tuple of labels, each its own group."""
    records = []
    for number, labels in enumerate(labelled):
        pixels = np.random.default_rng([number, *folder.name.encode()]).random((3, 37, 31)).astype(np.float32)
        pixels[:, [0, 1, 2, -3, -2, -1]] = 0.98  # air above and below
        image = XrayImage(pixels, Quantity.PSEUDO_COLOUR, COLOUR)
        boxes = np.array([[2, 3, 20, 30]] * len(labels), np.float32).reshape(-1, 4)
        sample = Sample(f"{folder.name}-{number}", image, Annotations(boxes, labels), f"bag-{number}", Provenance("made", "CC0-1.0"))
        records.append(image_record(sample, write_images(folder, sample.id, image, None)))
    write_annotations(folder, sorted({label for labels in labelled for label in labels}), records)
    return folder


def test_labels_are_translated_and_those_that_do_not_count_are_dropped(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "scans", ("Gun", "Wrench"), ("Wrench",), ("gun",), ())
    sources = Sources.open({Role.LABELLED: folder}, Taxonomy(("gun",), {"Gun": "gun"}))
    located = sources.located(Role.LABELLED)
    assert [one.entry.id for one in located] == ["scans-0", "scans-2", "scans-3"], "a scan with other threats only is not benign either"
    sample = sources.load(located[0], Quantity.PSEUDO_COLOUR)
    assert sample.annotations.labels == ("gun",)
    assert len(sample.annotations.boxes) == 1


@pytest.mark.parametrize(
    ("classes", "aliases", "message"),
    [(("gun", "gun"), {}, "named twice"), (("gun",), {"blade": "knife"}, "'blade' stands for 'knife', which is not among the classes")],
)
def test_a_taxonomy_that_contradicts_itself(classes: tuple[str, ...], aliases: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Taxonomy(classes, aliases)


def test_spellings_of_two_datasets_are_one_class(tmp_path: Path) -> None:
    paths = {Role.LABELLED: dataset(tmp_path / "scans", ("Gun",)), Role.TEST: dataset(tmp_path / "test", ("gun",), ("GUN", "Razor_blade"))}
    sources = Sources.open(paths, Taxonomy())
    assert sources.classes() == ("GUN", "Gun", "Razor_blade", "gun"), "one dataset that has two spellings means two things"
    paths[Role.TEST] = dataset(tmp_path / "other", ("gun",), ("Razor_blade",))
    assert Sources.open(paths, Taxonomy()).classes() == ("Gun", "Razor_blade")


def test_what_does_not_count_is_named(tmp_path: Path) -> None:
    paths = {Role.LABELLED: dataset(tmp_path / "scans", ("gun", "Wrench"), ("Wrench", "Wrench"), ("Pistole",))}
    said = {one.item: one.reason for one in Sources.open(paths, Taxonomy(("gun",))).uncounted()}
    assert said == {
        "labelled: label 'Pistole'": "1 box(es) do not count: unknown label; the nearest class is 'gun'. "
        "Name it under aliases if it should count",
        "labelled: label 'Wrench'": "3 box(es) do not count: it is 'wrench', which is not among the classes gun",
    }


def test_an_image_labelled_as_a_whole_is_neither_benign_nor_a_threat_with_a_box(tmp_path: Path) -> None:
    from dataclasses import replace

    sources = Sources.open({Role.LABELLED: dataset(tmp_path / "scans", ("gun",), (), ())}, Taxonomy(("gun",)))
    entries = list(sources.datasets[Role.LABELLED].entries)
    entries[1] = replace(entries[1], image_labels=("Gun",))
    changed = Sources({Role.LABELLED: replace(sources.datasets[Role.LABELLED], entries=tuple(entries))}, sources.taxonomy)
    assert [one.entry.id for one in changed.located(Role.LABELLED)] == ["scans-0", "scans-2"]
    assert changed.uncounted()[0].reason == "1 image(s) say it without a box: neither benign nor usable as a threat"


def test_images_that_pass_for_benign_but_are_known_not_to_be_are_set_aside(tmp_path: Path) -> None:
    sources = Sources.open({Role.BENIGN: dataset(tmp_path / "bags", (), (), ())}, Taxonomy(mislabelled=("bags-1",)))
    assert [one.entry.id for one in sources.located(Role.BENIGN)] == ["bags-0", "bags-2"]
    assert [one.item for one in sources.datasets[Role.BENIGN].set_aside] == ["bags-1"]


def test_a_datasets_own_words_are_put_into_common_ones(tmp_path: Path) -> None:
    words = Vocabulary({"gun": ThreatClass("gun"), "cup": ThreatClass("cup")}, {"coco": {"CO": "cup"}})
    sources = Sources.open({Role.LABELLED: dataset(tmp_path / "scans", ("co", "gun"))}, Taxonomy(("cup",), vocabulary=words))
    located = sources.located(Role.LABELLED)[0]
    assert sources.labels_of(located.entry) == ("cup",)
    assert sources.load(located, Quantity.PSEUDO_COLOUR).annotations.labels == ("cup",)


def test_a_split_cuts_no_group_and_loses_no_image(tmp_path: Path) -> None:
    paths = {
        Role.LABELLED: dataset(tmp_path / "scans", *[("gun",), ("knife",)] * 10),
        Role.BENIGN: dataset(tmp_path / "bags", *[()] * 12),
    }
    split(SplitConfig(near_duplicates=False), Taxonomy(), paths, tmp_path / "split", RUN)
    sources = Sources.open(paths, Taxonomy())
    parts = read_parts(tmp_path / "split", sources)
    keys = [located.key for part in parts.values() for located in (*part.threats, *part.benign)]
    assert sorted(keys) == sorted(located.key for role in paths for located in sources.located(role))
    assert all(part.threats and part.benign for part in parts.values())


def test_a_test_set_of_ones_own_is_used_whole_and_for_nothing_else(tmp_path: Path) -> None:
    paths = {
        Role.LABELLED: dataset(tmp_path / "scans", *[("gun",)] * 8),
        Role.BENIGN: dataset(tmp_path / "bags", *[()] * 8),
        Role.TEST: dataset(tmp_path / "test", ("gun",), ()),
    }
    split(SplitConfig(near_duplicates=False), Taxonomy(), paths, tmp_path / "split", RUN)
    parts = read_parts(tmp_path / "split", Sources.open(paths, Taxonomy()))
    assert [one.key for one in parts[PartName.TEST].threats] == ["test:test-0"]
    assert [one.key for one in parts[PartName.TEST].benign] == ["test:test-1"]
    assert not any(one.role is Role.TEST for name in (PartName.TRAIN, PartName.VALIDATION) for one in parts[name].threats)


def test_a_split_of_other_datasets_is_refused(tmp_path: Path) -> None:
    sources = Sources.open({Role.LABELLED: dataset(tmp_path / "scans", ("gun",))}, Taxonomy())
    parts = {name.value: {"threats": ["labelled:gone"], "benign": []} for name in PartName}
    write_json(tmp_path / "split" / SPLIT_FILE, {"parts": parts})
    with pytest.raises(DataError, match="names 'labelled:gone', which is not in the datasets"):
        read_parts(tmp_path / "split", sources)


def test_a_colour_scan_keeps_its_pixels_bit_for_bit_where_nothing_was_projected(tmp_path: Path) -> None:
    sources = Sources.open({Role.BENIGN: dataset(tmp_path / "bags", ())}, Taxonomy())
    stored = sources.load(sources.located(Role.BENIGN)[0], Quantity.PSEUDO_COLOUR)
    view = TransmissionView.of(stored)
    changed = np.zeros(stored.image.size, bool)
    changed[5:9, 5:9] = True
    darker = XrayImage(np.maximum(view.sample.image.values * np.float32(0.5), np.float32(0.01)), Quantity.TRANSMISSION, COLOUR)
    back = view.colour_of(darker, changed)
    assert np.array_equal(back.values[:, ~changed], stored.image.values[:, ~changed])
    assert back.values[:, changed].mean() < 0.6 * stored.image.values[:, changed].mean()
