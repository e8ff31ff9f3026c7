"""How fast the exchange formats are written and read, and how much memory that takes: ``python benchmarks/exchange_formats.py``.

Generated images of one small JPEG each with three boxes, so that the figures are those of parsing and copying, not of pictures.
Processor seconds, one process a format, so that each has its own peak of memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from threatray.core import Annotations
from threatray.core.image_file import write_jpeg
from threatray.datasets.dataset import Entry
from threatray.datasets.formats import cyclegan, hugging_face, hugging_face_parquet, webdataset, yolo
from threatray.datasets.formats.format import ReadOptions
from threatray.datasets.formats.unpacked import CACHE_VARIABLE

FORMATS = {
    form.name: form for form in (*yolo.FORMATS, hugging_face.FORMAT, hugging_face_parquet.FORMAT, webdataset.FORMAT, cyclegan.FORMAT)
}


def entries(picture: Path, count: int, seed: int) -> Iterator[Entry]:
    rng = np.random.default_rng(seed)
    for number in range(count):
        corners = np.sort(rng.uniform(0, 1, (3, 2, 2)), axis=1) * [96, 80]
        things = Annotations(corners.reshape(3, 4).astype(np.float32), ("gun", "knife", "gun"))
        own = f"bag{number:07}"
        yield Entry(id=own, image_path=picture, width=96, height=80, things=things, group=own, part="train")


def measure(name: str, count: int, seed: int) -> str:
    form = FORMATS[name]
    assert form.write is not None
    with tempfile.TemporaryDirectory() as scratch:
        os.environ[CACHE_VARIABLE] = f"{scratch}/cache"
        picture = Path(scratch) / "picture.jpg"
        blocks = np.random.default_rng(seed).integers(0, 256, (10, 12, 3), dtype=np.uint8)
        write_jpeg(picture, np.kron(blocks, np.ones((8, 8, 1), np.uint8)))
        folder = Path(scratch) / name
        folder.mkdir()
        start = time.process_time()
        form.write(folder, ("gun", "knife"), entries(picture, count, seed))
        written = time.process_time() - start
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start = time.process_time()
        read = sum(1 for _ in form.read(folder, ReadOptions()).entries)
        taken = time.process_time() - start
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert read == count
    return f"| `{name}` | {count / written:,.0f} | {count / taken:,.0f} | {3 * count / taken:,.0f} | {before:.0f} | {after:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=sorted(FORMATS))
    options = parser.parse_args()
    if options.format:
        print(measure(options.format, options.images, options.seed))
        return
    print("| format | images written/s | images read/s | boxes read/s | MB after writing | MB after reading |\n|---|--:|--:|--:|--:|--:|")
    for name in FORMATS:
        command = [sys.executable, __file__, "--format", name, "--images", str(options.images), "--seed", str(options.seed)]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout, end="", flush=True)


if __name__ == "__main__":
    main()
