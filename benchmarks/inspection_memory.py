"""Memory and time of `threatray inspect --no-pixels` as a dataset grows: one process a dataset, its own peak.

Usage: ``python benchmarks/inspection_memory.py [--formats coco voc yolo] [--images 100000 300000 1000000] [--boxes 1] [--repeats 0]
[--scratch FOLDER]``.
With ``--repeats`` the reader with the count behind it, without the program's start and its page, is timed too, in this process.
The pictures are links to one small PNG: without pixels nobody looks inside. Boxes are drawn from seed 0.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

MOST_LINKS = 50_000
CLASSES = ("gun", "knife", "wrench", "pliers", "scissors", "hammer")
Box = tuple[int, int, int, int, int]


def main() -> int:
    """Make each dataset, inspect it, print a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--formats", nargs="+", default=["coco", "voc", "yolo"], choices=list(WRITERS))
    parser.add_argument("--images", nargs="+", type=int, default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--boxes", type=int, default=1, help="boxes an image")
    parser.add_argument("--repeats", type=int, default=0, help="how often to time reading and counting alone")
    parser.add_argument("--scratch", type=Path, default=None, help="where to make them; kept there and used again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for kind in options.formats:
            for count in options.images:
                root = (options.scratch or Path(temporary)) / f"{kind}-{count}-{options.boxes}"
                if not (root / "made").is_file():
                    WRITERS[kind](root, count, options.boxes)
                    (root / "made").write_text("")
                seconds, peak = inspected(root, Path(temporary) / f"out-{kind}-{count}")
                rate = count / seconds
                print(
                    f"{kind}: {count:,} images, {options.boxes} box(es) each: {peak:.0f} MB, {seconds:.1f} CPU s, {rate:,.0f} images/s",
                    flush=True,
                )
                if options.repeats:
                    rates = sorted(read_and_counted(root) for _ in range(options.repeats))
                    middle = rates[len(rates) // 2]
                    print(f"    read and counted: {middle:,.0f} images/s ({rates[0]:,.0f} to {rates[-1]:,.0f}), {1e6 / middle:.1f} us each")
    return 0


def read_and_counted(root: Path) -> float:
    """Images a CPU second, of the streaming reader with every count of the inspection behind it."""
    from threatray.datasets.formats import stream_dataset
    from threatray.datasets.formats.format import ReadOptions
    from threatray.datasets.inspect import Inspector

    began = time.process_time()
    stream = stream_dataset(root, None, ReadOptions(headers=False))
    inspector = Inspector(stream.root, stream.classes, pixels=False)
    for entry in stream.entries:
        inspector.add(entry)
    return len(inspector.table) / (time.process_time() - began)


def inspected(root: Path, out: Path) -> tuple[float, float]:
    """CPU seconds and peak resident megabytes of a fresh process."""
    words = ["inspect", str(root), "--out", str(out), "--no-pixels", "--workers", "1", "--quiet"]
    program = [sys.executable, "-c", "import sys; from threatray.cli.main import main; sys.exit(main(sys.argv[1:]))", *words]
    process = os.posix_spawn(sys.executable, program, dict(os.environ), file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
    _, status, used = os.wait4(process, 0)
    if status != 0:
        raise SystemExit(f"inspect {root} failed with {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6


def pictures(folder: Path, count: int) -> Iterator[str]:
    """The names of so many files with one content, in a shuffled order: no dataset lists them as they lie on disk."""
    folder.mkdir(parents=True)
    content = cv2.imencode(".png", np.full((8, 8), 200, np.uint8))[1].tobytes()
    numbers = list(range(count))
    random.Random(0).shuffle(numbers)
    for place, number in enumerate(numbers):
        name = f"scan-{number:07}.png"
        if place % MOST_LINKS == 0:
            first = folder / name
            first.write_bytes(content)
        else:
            os.link(first, folder / name)
        yield name


def boxes_of(count: int, boxes: int) -> Iterator[list[Box]]:
    """Class and corners of each box of each image, in 800x600 pixels."""
    draw = random.Random(0)
    for _ in range(count):
        yield [box(draw) for _ in range(boxes)]


def box(draw: random.Random) -> Box:
    """One box."""
    left, top = draw.randrange(0, 600), draw.randrange(0, 400)
    return draw.randrange(len(CLASSES)), left, top, left + draw.randrange(20, 200), top + draw.randrange(20, 200)


def write_coco(root: Path, count: int, boxes: int) -> None:
    """One ``annotations.json`` with ``images/`` beside it."""
    root.mkdir(parents=True)
    with (root / "annotations.json").open("w") as handle:
        categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES, 1)]
        handle.write('{"categories": ' + json.dumps(categories) + ', "images": [')
        for number, name in enumerate(pictures(root / "images", count), 1):
            image = {"id": number, "file_name": name, "width": 800, "height": 600}
            handle.write((",\n" if number > 1 else "\n") + json.dumps(image))
        handle.write('\n], "annotations": [')
        made = 0
        for number, things in enumerate(boxes_of(count, boxes), 1):
            for kind, x0, y0, x1, y1 in things:
                made += 1
                thing = {"id": made, "image_id": number, "category_id": kind + 1, "bbox": [x0, y0, x1 - x0, y1 - y0], "iscrowd": 0}
                handle.write((",\n" if made > 1 else "\n") + json.dumps(thing | {"area": (x1 - x0) * (y1 - y0)}))
        handle.write("\n]}\n")


def write_voc(root: Path, count: int, boxes: int) -> None:
    """``Annotations/`` and ``JPEGImages/``."""
    (root / "Annotations").mkdir(parents=True)
    size = "<size><width>800</width><height>600</height><depth>3</depth></size>"
    for name, things in zip(pictures(root / "JPEGImages", count), boxes_of(count, boxes), strict=True):
        text = f"<annotation>\n\t<filename>{name}</filename>\n\t{size}\n"
        for kind, *corners in things:
            told = "".join(f"<{tag}>{value}</{tag}>" for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True))
            text += f"\t<object><name>{CLASSES[kind]}</name><difficult>0</difficult><bndbox>{told}</bndbox></object>\n"
        (root / "Annotations" / name).with_suffix(".xml").write_text(text + "</annotation>\n")


def write_yolo(root: Path, count: int, boxes: int) -> None:
    """``data.yaml``, ``images/`` and ``labels/``."""
    (root / "labels").mkdir(parents=True)
    (root / "data.yaml").write_text("names: [" + ", ".join(CLASSES) + "]\ntrain: images\nval: images\n")
    for name, things in zip(pictures(root / "images", count), boxes_of(count, boxes), strict=True):
        lines = []
        for kind, x0, y0, x1, y1 in things:
            lines.append(f"{kind} {(x0 + x1) / 1600:.6f} {(y0 + y1) / 1200:.6f} {(x1 - x0) / 800:.6f} {(y1 - y0) / 600:.6f}\n")
        (root / "labels" / name).with_suffix(".txt").write_text("".join(lines))


WRITERS = {"coco": write_coco, "voc": write_voc, "yolo": write_yolo}

if __name__ == "__main__":
    sys.exit(main())
