"""How fast and in how much memory published datasets read in their own layouts, on generated copies of a given size.

Every image is a hard link to one picture, so that the disk holds no pixels. Each reading is a process of its own; CPU time is counted,
not wall time. Usage: ``python benchmarks/published_datasets.py [--images 20000 100000] [--folder /dev/shm]``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from threatray.core.image_file import write_jpeg
from threatray.datasets.formats import stream_dataset
from threatray.datasets.formats.format import ReadOptions

SEED = 0
WIDTH, HEIGHT = 800, 600
XML = (
    "<annotation><object><name>Gun</name>"
    "<bndbox><xmin>10</xmin><ymin>20</ymin><xmax>300</xmax><ymax>400</ymax></bndbox></object></annotation>"
)


def opixray(root: Path, count: int, link: Callable[[Path], None]) -> None:
    """Two boxes an image, one text file each."""
    (root / "train/train_annotation").mkdir(parents=True)
    for number in range(count):
        link(root / f"train/train_image/{number:06d}.jpg")
        lines = f"{number:06d}.jpg Scissor 10 20 300 400\n{number:06d}.jpg Utility_Knife 5 6 70 80\n"
        (root / f"train/train_annotation/{number:06d}.txt").write_text(lines)


def sixray(root: Path, count: int, link: Callable[[Path], None]) -> None:
    """One positive with an XML in ten images, a list of them all."""
    (root / "Annotation").mkdir(parents=True)
    (root / "ImageSet/10").mkdir(parents=True)
    rows = ["name,Gun,Knife,Wrench,Pliers,Scissors"]
    for number in range(count):
        positive = number % 10 == 0
        name = f"P{number:05d}" if positive else f"N{number:07d}"
        link(root / f"JPEGImage/{name}.jpg")
        if positive:
            (root / f"Annotation/{name}.xml").write_text(XML)
        rows.append(f"{name},{1 if positive else -1},-1,-1,-1,-1")
    (root / "ImageSet/10/train.csv").write_text("\n".join(rows) + "\n")


def pidray(root: Path, count: int, link: Callable[[Path], None]) -> None:
    """One box an image, one COCO file."""
    (root / "annotations").mkdir(parents=True)
    for number in range(count):
        link(root / f"train/xray_{number:06d}.png")
    images = [{"id": number, "file_name": f"xray_{number:06d}.png", "width": WIDTH, "height": HEIGHT} for number in range(count)]
    things = [{"id": number, "image_id": number, "category_id": 7, "bbox": [10, 20, 300, 400]} for number in range(count)]
    document = {"images": images, "annotations": things, "categories": [{"id": 7, "name": "Gun"}]}
    (root / "annotations/xray_train.json").write_text(json.dumps(document))


def dvxray(root: Path, count: int, link: Callable[[Path], None]) -> None:
    """A bag, two views, one JSON for every two images."""
    folder = root / "DvXray_Positive_Samples"
    folder.mkdir(parents=True)
    thing = {"label": "Gun", "ol_bb": [10, 20, 300, 400], "sd_bb": [5, 6, 70, 80]}
    for number in range(count // 2):
        for view in ("OL", "SD"):
            link(folder / f"P{number:05d}_{view}.png")
        (folder / f"P{number:05d}.json").write_text(json.dumps({"objects": [thing]}))


LAYOUTS = {"opixray": opixray, "sixray": sixray, "pidray": pidray, "dvxray": dvxray}


def resident() -> float:
    """Megabytes of memory in use now. (``getrusage`` would count what the parent process once used.)"""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def read(name: str, root: Path, headers: bool) -> None:
    """Read a copy and print what it took; runs in a process of its own."""
    before = most = resident()
    start = time.process_time()
    images = boxes = 0
    for entry in stream_dataset(root, name, ReadOptions(headers=headers)).entries:
        images += 1
        boxes += len(entry.things)
        if images % 1000 == 1:
            most = max(most, resident())
    spent = time.process_time() - start
    grown = most - before
    print(f"{name:8} headers {'read' if headers else 'believed':8} {images:7,} images {boxes:7,} boxes", end=" ")
    print(f"{images / spent:7,.0f} images/s {boxes / spent:7,.0f} boxes/s {grown:6.0f} MB more", flush=True)


def main() -> None:
    """Build the copies, read each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--folder", type=Path, default=None, help="where to build; memory (/dev/shm) leaves the disk out of it")
    parser.add_argument("--read", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(options.read[0], Path(options.read[1]), options.read[2] == "1")
        return
    base = Path(tempfile.mkdtemp(dir=options.folder))
    picture = base / "picture.jpg"
    write_jpeg(picture, np.random.default_rng(SEED).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))

    def link(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(picture, path)

    try:
        for count in options.images:
            for name, build in LAYOUTS.items():
                root = base / f"{name}_{count}"
                build(root, count, link)
                for headers in ("1", "0") if name == "pidray" else ("1",):
                    subprocess.run([sys.executable, __file__, "--read", name, str(root), headers], check=True)
                shutil.rmtree(root)
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main()
