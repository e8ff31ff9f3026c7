from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hostile_miniatures as mini
import numpy as np
import pytest

from threatray.core import Annotations
from threatray.datasets.dataset import Entry
from threatray.datasets.formats import webdataset
from threatray.datasets.formats.format import ReadOptions
from threatray.datasets.formats.unpacked import CACHE_VARIABLE
from threatray.datasets.formats.webdataset_writer import write_webdataset
from threatray.errors import DataError

EMPTY = b'{"objects": {"bbox": [], "category": []}}'


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    yield folder


def read(root: Path, **options: Any) -> Any:
    return webdataset.FORMAT.read(root, ReadOptions(**options)).collect()


def test_members_belong_together_up_to_the_first_dot(tmp_path: Path, cache: Path) -> None:
    mini.web_shards(tmp_path)
    dataset = read(tmp_path)
    first, second, third = dataset.entries
    assert (first.id, first.labels, first.part) == ("sample0", ("gun",), "train")
    np.testing.assert_array_equal(first.boxes, np.array([[2, 3, 12.5, 23]], np.float32))
    assert (second.id, second.part, second.is_benign) == ("sample2", "test", True)
    assert (third.id, third.image_labels, third.is_benign) == ("sub__sample1", ("칼",), False)
    assert dataset.notes == ("Members that were left out, by their extension: txt.",)
    assert first.image_path.is_relative_to(cache)


def test_compressed_shards_are_read(tmp_path: Path) -> None:
    mini.tar(tmp_path / "a.tar.gz", [("x.png", mini.picture_bytes()), ("x.json", EMPTY)], "w:gz")
    assert [entry.id for entry in read(tmp_path).entries] == ["x"]


def test_one_shard_is_read_by_its_name(tmp_path: Path) -> None:
    mini.web_shards(tmp_path)
    assert webdataset.FORMAT.detect(tmp_path / "test-000000.tar")
    assert [entry.id for entry in read(tmp_path / "test-000000.tar").entries] == ["sample2"]


def entries(folder: Path, count: int) -> list[Entry]:
    mini.picture(folder / "x.png")
    things = Annotations(np.array([[1, 2, 5, 9]], np.float32), ("gun",))
    return [Entry(id=f"b.{number}", image_path=folder / "x.png", width=31, height=37, things=things, group="g") for number in range(count)]


def test_a_shard_is_closed_before_it_grows_too_large_and_no_sample_is_cut(tmp_path: Path) -> None:
    # a sample: two headers of 512 bytes, a picture of about 3,500 bytes and a record of under 512
    write_webdataset(tmp_path / "out", ("gun",), entries(tmp_path, 5), largest_shard=11_000)
    shards = sorted((tmp_path / "out").glob("*.tar"))
    assert [shard.name for shard in shards] == ["data-000000.tar", "data-000001.tar", "data-000002.tar"]
    for shard in shards:
        with tarfile.open(shard) as archive:
            names = archive.getnames()
            assert {name.split(".")[1] for name in names} == {"png", "json"} and len(names) % 2 == 0
            assert {(info.mtime, info.uid, info.gid, info.uname, info.mode) for info in archive} == {(0, 0, 0, "", 0o644)}
    assert [entry.id for entry in read(tmp_path / "out").entries] == [f"b.{number}" for number in range(5)]


def member(name: str, **fields: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def raw(*infos: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for info, data in infos:
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def patched_size(data: bytes, size: int) -> bytes:
    """The first header with another size, and its checksum put right."""
    head = bytearray(data[:512])
    head[124:136] = b"\xff" * 12 if size < 0 else b"\x80" + size.to_bytes(11, "big")
    head[148:156] = b" " * 8
    head[148:156] = f"{sum(head):06o}\0 ".encode()
    return bytes(head) + data[512:]


LINK = member("x.png", type=tarfile.SYMTYPE, linkname="/etc/passwd")
HARD = member("x.png", type=tarfile.LNKTYPE, linkname="../../etc/passwd")
DEVICE = member("x.png", type=tarfile.CHRTYPE)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: raw((LINK, b"")), "a link, a device or a sparse file"),
        (lambda: raw((HARD, b"")), "a link, a device or a sparse file"),
        (lambda: raw((DEVICE, b"")), "a link, a device or a sparse file"),
        (lambda: raw((member("../../x.png", size=1), b"x")), r"leads out of the dataset with '\.\.'"),
        (lambda: raw((member("/etc/x.png", size=1), b"x")), "is absolute"),
        (lambda: raw((member("x.png", size=1), b"x"), (member("x.json", size=2), b"{}")), "is no PNG, JPEG"),
        (lambda: raw((member("x.json", size=2), b"{}")), "has no picture"),
        (lambda: raw((member("x.png", size=len(mini.picture_bytes())), mini.picture_bytes())), "has neither json nor cls"),
        (lambda: raw((member("x.png", size=3), b"abc"))[:700], "broken or cut off|claims|no PNG"),
        (lambda: b"not a tar" * 100, "is broken or cut off"),
        (lambda: patched_size(raw((member("x.png", size=1), b"x")), -1), "negative size"),
        (lambda: patched_size(raw((member("x.png", size=1), b"x")), 10**15), "a hundred times what the shard holds"),
        (lambda: patched_size(raw((member("x", type=tarfile.XHDTYPE, size=1), b"x")), 10**10), "more than any name needs"),
        (lambda: patched_size(raw((member("x", type=tarfile.GNUTYPE_LONGNAME, size=1), b"x")), 10**10), "more than any name needs"),
    ],
)
def test_a_hostile_shard_is_said_and_the_others_are_read(tmp_path: Path, make: Callable[[], bytes], reason: str) -> None:
    mini.web_shards(tmp_path)
    (tmp_path / "z.tar").write_bytes(make())
    dataset = read(tmp_path)
    assert len(dataset.entries) == 3
    with pytest.raises(DataError, match=reason):
        read(tmp_path, strict=True)


def test_a_shard_that_grows_beyond_all_pictures_is_refused(tmp_path: Path) -> None:
    mini.web_shards(tmp_path)
    mini.tar(tmp_path / "z.tar.gz", [("x.bin", bytes(120_000_000)), ("y.png", mini.picture_bytes()), ("y.json", EMPTY)], "w:gz")
    dataset = read(tmp_path)
    assert [entry.id for entry in dataset.entries] == ["sample0", "sample2", "sub__sample1"]
    assert "a hundred times what the shard holds" in dataset.set_aside[0].reason


def test_what_came_before_the_cut_is_read(tmp_path: Path) -> None:
    mini.web_shards(tmp_path)
    shard = tmp_path / "train-000000.tar"
    data = shard.read_bytes()
    with tarfile.open(shard) as archive:
        end = archive.getmember("sub/sample1.png").offset_data
    shard.write_bytes(data[: end + 100])
    dataset = read(tmp_path)
    assert [entry.id for entry in dataset.entries] == ["sample0", "sample2"]
    assert dataset.set_aside[0].item == "train-000000.tar"


def test_an_archive_that_is_no_dataset_is_not_recognised(tmp_path: Path) -> None:
    mini.tar(tmp_path / "images.tar", [("a.png", b"x"), ("b.png", b"y")])
    assert not webdataset.FORMAT.detect(tmp_path)
    assert not webdataset.FORMAT.detect(tmp_path / "images.tar")
    (tmp_path / "images.tar").write_bytes(b"")
    assert not webdataset.FORMAT.detect(tmp_path)
