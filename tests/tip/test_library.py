from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core import TRANSMISSION_FLOOR, OriginKind, Quantity, Signature, XrayImage
from threatray.errors import DataError
from threatray.tip.library import SignatureLibrary, contact_sheet, quantised, write_index, write_signature


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3]), st.integers(1, 31), st.integers(1, 37))
def test_writing_then_reading_is_the_identity(tmp_path_factory, signature_of, seed, channels, height, width):
    folder = tmp_path_factory.mktemp("library")
    thing = quantised(signature_of(seed, channels, height, width))
    write_index(folder, [write_signature(folder, thing, {"quality": 0.5, "note": "ü"})])
    library = SignatureLibrary.open(folder)
    found = library.load(thing.id)
    assert found.image.values.tobytes() == thing.image.values.tobytes()
    assert (found.mask == thing.mask).all()
    assert (found.image.channels, found.class_name, found.origin) == (thing.image.channels, thing.class_name, thing.origin)
    assert (library.entries[0].quality, library.entries[0].extra) == (0.5, {"note": "ü"})


def test_the_noise_that_is_left_is_kept_and_older_libraries_know_none(tmp_path, signature_of):
    thing = replace(signature_of(0, 2), noise=(1.5e-5, 0.0))
    write_index(tmp_path, [write_signature(tmp_path, thing)])
    assert SignatureLibrary.open(tmp_path).load(thing.id).noise == quantised(thing).noise == (1.5e-5, 0.0)
    rows = json.loads((tmp_path / "index.json").read_text())
    del rows[0]["noise"]
    (tmp_path / "index.json").write_text(json.dumps(rows))
    assert SignatureLibrary.open(tmp_path).load(thing.id).noise is None
    rows[0]["noise"] = "much"
    (tmp_path / "index.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match="not an entry of a signature library"):
        SignatureLibrary.open(tmp_path)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_quantising_moves_no_value_by_more_than_half_a_level(signature_of, seed):
    thing = signature_of(seed)
    assert np.abs(quantised(thing).image.values - thing.image.values).max() <= 0.5 / 65535 + 1e-7
    assert (quantised(quantised(thing)).image.values == quantised(thing).image.values).all()


def test_the_floor_survives(tmp_path, signature_of):
    thing = signature_of(0, 1, 1, 1)
    black = Signature(
        "black",
        XrayImage(np.full((1, 1, 1), TRANSMISSION_FLOOR, np.float32), Quantity.TRANSMISSION, ("grey",)),
        thing.mask,
        "gun",
        thing.origin,
    )
    write_index(tmp_path, [write_signature(tmp_path, black)])
    assert SignatureLibrary.open(tmp_path).load("black").image.values[0, 0, 0] == np.float32(TRANSMISSION_FLOOR)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 31), st.integers(1, 37))
def test_grain_is_stored_beside_the_signature_and_comes_back(tmp_path_factory, signature_of, grainy_of, seed, height, width):
    folder = tmp_path_factory.mktemp("library")
    plain, thing = signature_of(seed, 2, height, width, name="plain"), quantised(grainy_of(signature_of(seed, 2, height, width), seed))
    write_index(folder, [write_signature(folder, each) for each in (plain, thing)])
    library = SignatureLibrary.open(folder)
    assert library.load(thing.id).grain.tobytes() == thing.grain.tobytes()
    assert library.load("plain").grain is None
    assert [entry.grain for entry in library.entries] == [False, True]
    assert sorted(path.name for path in folder.rglob("*_grain.png")) == [f"{thing.id}_grain.png"]


def test_quantising_moves_grain_by_at_most_half_a_step_and_cuts_it_off_at_its_ends(signature_of, grainy_of):
    thing = grainy_of(signature_of(0))
    assert np.abs(quantised(thing).grain - thing.grain).max() < 1e-6
    shifted = replace(thing, grain=(thing.grain + np.float32(0.011)) * thing.mask)
    assert 0.004 < np.abs(quantised(shifted).grain - shifted.grain).max() <= 0.5 / 64
    far = quantised(replace(thing, grain=(np.sign(thing.grain) * 9).astype(np.float32)))
    assert (far.grain.min(), far.grain.max()) == (-2.0, 127 / 64)
    assert not far.grain[:, ~far.mask].any()


def test_a_library_of_before_there_was_grain_still_opens(tmp_path, signature_of):
    row = write_signature(tmp_path, signature_of(0)).as_json()
    del row["grain"]
    (tmp_path / "index.json").write_text(json.dumps([row]))
    assert SignatureLibrary.open(tmp_path).load("s0").grain is None


def test_grain_that_does_not_fit_is_refused(tmp_path, signature_of, grainy_of):
    for name, height in (("a", 9), ("b", 8)):
        write_index(tmp_path, [write_signature(tmp_path, grainy_of(signature_of(0, 2, height, name=name)))])
    (tmp_path / "gun/a_grain.png").replace(tmp_path / "gun/b_grain.png")
    with pytest.raises(DataError, match=r"b_grain\.png: expected uint8 \(8, 13, 3\) .* as the index says, got uint8 \(9, 13, 3\)"):
        SignatureLibrary.open(tmp_path).load("b")
    (tmp_path / "gun/b_grain.png").unlink()
    with pytest.raises(DataError, match=r"b_grain\.png: no such image file"):
        SignatureLibrary.open(tmp_path).load("b")


def filled(folder, signature_of):
    entries = [
        write_signature(folder, signature_of(seed, name=name), {"quality": quality})
        for seed, name, quality in ((1, "b", 0.9), (2, "a", 0.4))
    ]
    write_index(folder, entries)
    return SignatureLibrary.open(folder)


def test_the_index_is_sorted_and_answers_by_class_kind_and_quality(tmp_path, signature_of):
    library = filled(tmp_path, signature_of)
    assert [row["id"] for row in json.loads((tmp_path / "index.json").read_text())] == ["a", "b"]
    assert (len(library), library.ids(), library.ids("gun"), library.ids("knife")) == (2, ("a", "b"), ("a", "b"), ())
    assert library.by_class() == {"gun": ("a", "b")}
    assert library.select(min_quality=0.5).ids() == ("b",)
    assert library.select(kind=OriginKind.REAL).ids() == ()
    assert library.select(kind=OriginKind.RENDERED).ids() == ("a", "b")
    assert library.entry("a").width == 13


def test_equal_signatures_give_equal_bytes(tmp_path, signature_of):
    for name in ("one", "two"):
        write_signature(tmp_path / name, signature_of(5))
    assert (tmp_path / "one/gun/s5.tif").read_bytes() == (tmp_path / "two/gun/s5.tif").read_bytes()


def test_broken_and_missing_files_are_named(tmp_path, signature_of):
    with pytest.raises(DataError, match=r"index\.json: no such file"):
        SignatureLibrary.open(tmp_path)
    library = filled(tmp_path, signature_of)
    with pytest.raises(DataError, match="no signature 'z' among the 2"):
        library.load("z")
    (tmp_path / "gun/a.tif").write_bytes((tmp_path / "gun/a.tif").read_bytes()[:100])
    with pytest.raises(DataError, match=r"a\.tif: cannot be read as TIFF"):
        library.load("a")
    (tmp_path / "gun/a.tif").unlink()
    with pytest.raises(DataError, match="there is no such file"):
        library.load("a")
    (tmp_path / "gun/b_mask.png").unlink()
    with pytest.raises(DataError, match=r"b_mask\.png: no such image file"):
        library.load("b")


def test_files_that_do_not_fit_the_index_are_refused(tmp_path, signature_of):
    library = filled(tmp_path, signature_of)
    write_signature(tmp_path, signature_of(3, 1, name="a"))
    with pytest.raises(DataError, match=r"expected \(2, 9, 13\) .* as the index says, got \(1, 9, 13\)"):
        library.load("a")
    write_signature(tmp_path, signature_of(3, 2, 8, 13, name="other"))
    (tmp_path / "gun/other_mask.png").replace(tmp_path / "gun/b_mask.png")
    with pytest.raises(DataError, match=r"expected \(9, 13\) \(rows, columns\)"):
        library.load("b")


def test_a_mask_that_contradicts_the_pixels_is_refused(tmp_path, signature_of):
    library = filled(tmp_path, signature_of)
    (tmp_path / "gun/a_mask.png").replace(tmp_path / "gun/b_mask.png")
    with pytest.raises(DataError, match=r"b\.tif: signature b: transmission must be exactly 1 outside the mask"):
        library.load("b")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"a": 1}, "expected a list of signatures, got dict"),
        ([{"id": "a"}], "entry 0: not an entry of a signature library"),
        ([17], "entry 0: not an entry"),
    ],
)
def test_a_broken_index_is_refused(tmp_path, rows, message):
    (tmp_path / "index.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match=message):
        SignatureLibrary.open(tmp_path)


def test_ids_that_would_leave_the_folder_are_refused(tmp_path, signature_of):
    for name in ("../x", "a/b", ".hidden", "a\\b", " ", "a."):
        with pytest.raises(DataError, match="cannot be a file name"):
            write_signature(tmp_path, signature_of(0, name=name))
    entry = write_signature(tmp_path, signature_of(0, name="a"))
    with pytest.raises(DataError, match="two signatures are called 'a'"):
        write_index(tmp_path, [entry, entry])
    row = {**entry.as_json(), "id": "../../etc/passwd"}
    (tmp_path / "index.json").write_text(json.dumps([row]))
    with pytest.raises(DataError, match="entry 0: signature id"):
        SignatureLibrary.open(tmp_path)


def test_a_contact_sheet_shows_every_signature_on_white(signature_of):
    sheet = contact_sheet([signature_of(seed, channels) for seed, channels in ((0, 1), (1, 2), (2, 3))], tile=32, columns=2)
    assert sheet.shape == (64, 64, 3)
    for top, left in ((0, 0), (0, 32), (32, 0)):
        assert sheet[top : top + 32, left : left + 32].min() < 200
    assert (sheet[32:, 32:] == 255).all()
    with pytest.raises(DataError, match="no signatures to show"):
        contact_sheet([])
