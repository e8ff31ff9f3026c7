from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core.files import read_json, sha256_of_file, sha256_of_text, whole_file, write_json
from threatray.core.image_file import read_pixels, write_jpeg, write_png
from threatray.core.manifest import RunManifest, SetAside
from threatray.errors import DataError, StorageError


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    target = tmp_path / "deep/a.txt"
    with pytest.raises(RuntimeError, match="killed"), whole_file(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed")
    assert list(target.parent.iterdir()) == []
    with whole_file(target) as temporary:
        temporary.write_text("all")
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert (tmp_path / "a.json").read_text() == "{}"


def test_equal_values_give_equal_bytes(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": "ü"})
    write_json(tmp_path / "b.json", {"a": "ü", "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert read_json(tmp_path / "a.json") == {"a": "ü", "b": 1}
    assert sha256_of_file(tmp_path / "a.json") == hashlib.sha256((tmp_path / "a.json").read_bytes()).hexdigest()
    assert sha256_of_text("a") == hashlib.sha256(b"a").hexdigest()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{\n 1", r"line 2, column 2: not valid JSON"),
        (b"\xff", "not UTF-8 at offset 0"),
        (b"[" * 100_000, "not valid JSON|nested too deeply"),
        (b"9" * 5000, "not valid JSON"),
    ],
)
def test_broken_json_is_an_error_with_its_place(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError, match=reason):
        read_json(tmp_path / "a.json")
    with pytest.raises(DataError, match="no such file"):
        read_json(tmp_path / "b.json")


@settings(deadline=None, max_examples=16)
@given(st.sampled_from([np.uint8, np.uint16]), st.booleans(), st.integers(0, 2**32 - 1))
def test_png_gives_back_every_bit(tmp_path_factory: pytest.TempPathFactory, depth: Any, colour: bool, seed: int) -> None:
    shape = (37, 31, 3) if colour else (37, 31)
    pixels = np.random.default_rng(seed).integers(0, np.iinfo(depth).max + 1, shape, dtype=depth)
    path = tmp_path_factory.mktemp("png") / "a.png"
    write_png(path, pixels)
    read = read_pixels(path)
    assert read.dtype == depth
    np.testing.assert_array_equal(read, pixels)


def test_jpeg_keeps_colours_in_order(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a.jpg", np.full((37, 31, 3), (200, 100, 20), np.uint8))
    np.testing.assert_allclose(read_pixels(tmp_path / "a.jpg").mean(axis=(0, 1)), [200, 100, 20], atol=3)


def test_odd_images_are_read_as_shown(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.array([[[10, 20, 30, 255], [10, 20, 30, 0]]], np.uint8)).save(tmp_path / "alpha.png")
    np.testing.assert_array_equal(read_pixels(tmp_path / "alpha.png"), [[[10, 20, 30], [255, 255, 255]]])
    Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1").save(tmp_path / "bit.png")
    np.testing.assert_array_equal(read_pixels(tmp_path / "bit.png"), [[0, 255]])
    Image.fromarray(np.array([[[9, 8, 7]]], np.uint8)).convert("P").save(tmp_path / "palette.png")
    assert read_pixels(tmp_path / "palette.png").shape == (1, 1, 3)


def test_broken_images_are_errors(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="cannot be decoded as an image"):
        read_pixels(tmp_path / "a.png")
    with pytest.raises(DataError, match="no such image file"):
        read_pixels(tmp_path / "b.png")
    write_png(tmp_path / "c.png", np.random.default_rng(0).integers(0, 256, (37, 31), dtype=np.uint8))
    whole = (tmp_path / "c.png").read_bytes()
    (tmp_path / "c.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="broken or cut off"):
        read_pixels(tmp_path / "c.png")


def test_fractional_grey_levels_are_refused(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.array([[0.5, 1]], np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match="expected whole grey levels"):
        read_pixels(tmp_path / "a.tif")


def test_a_full_disk_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write_png(tmp_path / "a.png", np.zeros((2, 2), np.uint8))


def manifest(**changes: Any) -> RunManifest:
    return RunManifest(**({"stage": "split", "config": {"share": 0.5}, "seed": 7, "inputs": {"bags": "ab"}} | changes))


def test_a_manifest_is_read_back(tmp_path: Path) -> None:
    given_manifest = manifest(outputs={"a": "b"}, summary={"n": 1}, set_aside=(SetAside("x", "y"),), versions={"numpy": "2"})
    given_manifest.write(tmp_path)
    assert RunManifest.read(tmp_path) == given_manifest


def test_the_key_is_what_was_asked_and_nothing_else() -> None:
    assert manifest().key == manifest(outputs={"a": "b"}, summary={"n": 1}, versions={"numpy": "3"}).key
    assert len({manifest(**change).key for change in ({}, {"seed": 8}, {"config": {}}, {"inputs": {}}, {"stage": "plan"})}) == 5


def test_a_manifest_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(DataError, match="expected a threatray manifest of format 1"):
        RunManifest.read(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 1}))
    with pytest.raises(DataError, match="not a whole manifest"):
        RunManifest.read(tmp_path)
