"""How fast inspection is: pictures and annotations a second on one core, memory an image, and the search for copies.

Usage: ``python benchmarks/inspection.py [--data ../shared/data] [--million]``. Without real scans the embedded scanner's are used.
CPU seconds are measured, so that other work on the machine matters less.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from threatray.core import Annotations
from threatray.core.image_file import read_pixels, write_jpeg
from threatray.core.near_duplicates import near_duplicate_groups
from threatray.datasets.dataset import Entry
from threatray.datasets.fingerprints import Fingerprint, looks_of
from threatray.datasets.inspect import Inspector
from threatray.datasets.measure import Measurement, measure

REPEATS = 5
PICTURES = 60
CLASSES = ("gun", "knife", "wrench", "pliers", "scissors", "hammer")


def main() -> int:
    """Measure and print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="folder with sixray/images")
    parser.add_argument("--million", action="store_true", help="also search a million pictures for copies")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        entries = pictures(Path(scratch), options.data)
        kilobytes = np.mean([entry.paths[0].stat().st_size for entry in entries]) / 1000
        rates = [per_second(lambda: [measure(entry) for entry in entries], len(entries)) for _ in range(REPEATS)]
        show(f"pixels: 800x600 JPEG of {kilobytes:.0f} kB, images/s/core", rates)
    count = 100_000
    rates = [per_second(lambda: walk(count), count) for _ in range(REPEATS)]
    show("no pixels: images/s/core, two boxes each", rates)
    tracemalloc.start()
    kept = walk(count, measured=True)
    used, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"memory: {used / count:.0f} bytes an image kept, {peak / count:.0f} at most, for {len(kept.table):,} images")
    for many in (10_000, 100_000, *((1_000_000,) if options.million else ())):
        codes = alike(many)
        began = time.process_time()
        found = near_duplicate_groups(looks_of(codes), many)
        seconds = time.process_time() - began
        print(f"copies: {many:,} pictures, four hashes each: {seconds:.2f} CPU s, {many - len(set(found.numbers)):,} joined")
    return 0


def pictures(folder: Path, data: Path | None) -> list[Entry]:
    """Scans as 800x600 JPEGs with two boxes each."""
    import cv2

    made = []
    for number, pixels in enumerate(scans(data)):
        path = folder / f"{number}.jpg"
        write_jpeg(path, np.asarray(cv2.resize(pixels, (800, 600), interpolation=cv2.INTER_AREA), np.uint8), quality=92)
        boxes = np.array([[100, 100, 300, 200], [250, 150, 500, 420]], np.float32)
        made.append(Entry(id=path.stem, image_path=path, width=800, height=600, things=Annotations(boxes, CLASSES[:2]), group=path.stem))
    return made


def scans(data: Path | None) -> Iterator[np.ndarray]:
    """Real ones, or the embedded scanner's."""
    if data is not None and (data / "sixray" / "images").is_dir():
        files = sorted((data / "sixray" / "images").glob("*.jpg"))
        yield from (read_pixels(file) for file in files[:: len(files) // PICTURES][:PICTURES])
        return
    from threatray.cli.main import main as threatray

    with tempfile.TemporaryDirectory() as folder:
        few = ["--labelled.gun", str(PICTURES), "--benign", "1", "--validation-benign", "1", "--test-benign", "1"]
        few += ["--validation-threat-per-class", "1", "--test-threat-per-class", "1", "--photos-per-class", "1"]
        if threatray(["phantom", "--out", f"{folder}/phantom", "--quiet", *few]) != 0:
            sys.exit("the embedded scanner failed")
        yield from (read_pixels(file) for file in sorted(Path(folder).glob("phantom/scans/images/*[0-9].png"))[:PICTURES])


def walk(count: int, *, measured: bool = False) -> Inspector:
    """An inspector that has seen so many images."""
    inspector = Inspector(Path("/data"), CLASSES, pixels=measured)
    rng = np.random.default_rng(0)
    boxes = rng.uniform(0, 300, (1000, 2, 4)).astype(np.float32)
    boxes[..., 2:] += boxes[..., :2] + 5
    things = [Annotations(pair, (CLASSES[number % 6], CLASSES[number % 5])) for number, pair in enumerate(boxes)]
    codes = rng.integers(0, 2**64 - 1, (count, 4), np.uint64)
    for number in range(count):
        path = Path(f"/data/images/scan-{number:07}.jpg")
        entry = Entry(id=path.stem, image_path=path, width=800, height=600, things=things[number % 1000], group=path.stem)
        one = None
        if measured:
            look, *others = (int(code) for code in codes[number])
            one = Measurement(Fingerprint(f"{number + 1:032x}", look, "", *others), (250.0, 250.0, 250.0), bag_area=0.5)
        inspector.add(entry, one)
    if not measured:
        inspector.finish("coco")
    return inspector


def alike(count: int) -> np.ndarray:
    """Hashes with the skew of real ones (each bit mostly one way) in which a tenth are near copies of others."""
    rng = np.random.default_rng(1)
    odds = rng.uniform(0.15, 0.85, 64).astype(np.float32)
    copies = rng.permutation(count)[: count // 10]
    codes = np.empty((count, 4), np.uint64)
    for look in range(4):
        bits = rng.random((count, 64), np.float32) < odds
        bits[copies] = bits[(copies + 1) % count] ^ (rng.random((len(copies), 64)) < 0.02)
        codes[:, look] = np.ascontiguousarray(np.packbits(bits, axis=1)).view(np.uint64)[:, 0]
    return codes


def per_second(work: object, count: int) -> float:
    """Items a CPU second."""
    assert callable(work)
    began = time.process_time()
    work()
    return count / (time.process_time() - began)


def show(what: str, rates: list[float]) -> None:
    """Median and range."""
    print(f"{what}: {np.median(rates):,.0f} (of {len(rates)} repeats {min(rates):,.0f} to {max(rates):,.0f})", flush=True)


if __name__ == "__main__":
    sys.exit(main())
