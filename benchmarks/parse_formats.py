"""How long reading annotations takes, beside datumaro and supervision: COCO and VOC trees of tiny pictures, in one run, in turn.

Usage: python benchmarks/parse_formats.py [--images 20000] [--rounds 3] [--field-python PATH] [--seed 0]

``--field-python`` is the interpreter of an environment with ``pip install datumaro supervision`` (they pin other versions of what
threatray needs). Every measurement is a process of its own that reads the tree twice and reports the CPU seconds of the second time, so
that imports and cold caches do not count. Without it only threatray is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

CLASSES = ("Gun", "Knife", "Wrench", "Pliers", "Scissors")
WIDTH, HEIGHT = 64, 48

OURS = """
import sys, time
from pathlib import Path
from threatray.datasets.formats import read_dataset
def read():
    found = read_dataset(Path(sys.argv[1]), headers={headers}, strict=True)
    return len(found.entries), sum(len(entry.things) for entry in found.entries)
"""

DATUMARO = """
import sys, time, warnings
warnings.simplefilter("ignore")
import datumaro
def read():
    found = datumaro.Dataset.import_from(sys.argv[1], {name!r})
    items = list(found)
    return len(items), sum(len(item.annotations) for item in items)
"""

SUPERVISION = """
import sys, time, warnings
warnings.simplefilter("ignore")
import supervision
def read():
    found = supervision.DetectionDataset.{call}
    return len(found), sum(len(things) for things in found.annotations.values())
"""

TIMED = """
read()
started = time.process_time()
counts = read()
print("RESULT", time.process_time() - started, *counts)
"""


def write_trees(folder: Path, count: int, seed: int) -> None:
    """The same pictures and boxes as COCO and as VOC; datumaro and supervision each find the layout they document."""
    import numpy as np

    from threatray.core.image_file import write_jpeg

    rng = np.random.default_rng(seed)
    write_jpeg(folder / "picture.jpg", rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    content = (folder / "picture.jpg").read_bytes()
    coco, voc = folder / "coco", folder / "voc"
    for path in (coco / "images/train", coco / "annotations", voc / "JPEGImages", voc / "Annotations", voc / "ImageSets/Main"):
        path.mkdir(parents=True)
    images, annotations, names = [], [], []
    for number in range(1, count + 1):
        stem = f"P{number:06d}"
        names.append(stem)
        (coco / "images/train" / f"{stem}.jpg").write_bytes(content)
        (voc / "JPEGImages" / f"{stem}.jpg").hardlink_to(coco / "images/train" / f"{stem}.jpg")
        images.append({"id": number, "file_name": f"{stem}.jpg", "width": WIDTH, "height": HEIGHT})
        objects = []
        for _ in range(int(rng.integers(1, 4))):
            x, y, width, height = (int(value) for value in rng.integers((1, 1, 3, 3), (30, 20, 30, 25)))
            kind = int(rng.integers(0, len(CLASSES)))
            box = {"image_id": number, "category_id": kind + 1, "bbox": [x, y, width, height], "area": width * height, "iscrowd": 0}
            annotations.append({"id": len(annotations) + 1, "segmentation": [], **box})
            objects.append(
                f"<object>\n\t\t<name>{CLASSES[kind]}</name>\n\t\t<pose>Unspecified</pose>\n\t\t<truncated>0</truncated>\n"
                f"\t\t<difficult>0</difficult>\n\t\t<bndbox>\n\t\t\t<xmin>{x}</xmin>\n\t\t\t<ymin>{y}</ymin>\n"
                f"\t\t\t<xmax>{x + width}</xmax>\n\t\t\t<ymax>{y + height}</ymax>\n\t\t</bndbox>\n\t</object>"
            )
        size = f"<size>\n\t\t<width>{WIDTH}</width>\n\t\t<height>{HEIGHT}</height>\n\t\t<depth>3</depth>\n\t</size>"
        top = f"<annotation>\n\t<folder>VOC</folder>\n\t<filename>{stem}.jpg</filename>\n\t{size}\n\t<segmented>0</segmented>\n\t"
        (voc / "Annotations" / f"{stem}.xml").write_text(top + "\n\t".join(objects) + "\n</annotation>\n")
    categories = [{"id": number, "name": name, "supercategory": "threat"} for number, name in enumerate(CLASSES, 1)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (coco / "annotations/instances_train.json").write_text(json.dumps(document))
    (voc / "ImageSets/Main/train.txt").write_text("".join(f"{name}\n" for name in names))
    (voc / "labelmap.txt").write_text("background:::\n" + "".join(f"{name}:::\n" for name in CLASSES))


def measure(python: str, code: str, tree: Path) -> tuple[float, str]:
    """CPU seconds of the second reading, and what was counted."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([python, "-c", code + TIMED, str(tree)], env=environment, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    if not lines:
        raise SystemExit(f"{python} failed on {tree}:\n{done.stderr[-2000:]}")
    _, seconds, images, things = lines[0].split()
    return float(seconds), f"{images} images, {things} boxes"


def readers(field: str | None) -> list[tuple[str, str, str, str]]:
    """(tree, who, interpreter, code)."""
    found = []
    for tree in ("coco", "voc"):
        found += [(tree, f"threatray, headers={one}", sys.executable, OURS.format(headers=one)) for one in (False, True)]
        if field:
            found.append((tree, "datumaro", field, DATUMARO.format(name={"coco": "coco_instances", "voc": "voc"}[tree])))
            call = {
                "coco": 'from_coco(sys.argv[1] + "/images/train", sys.argv[1] + "/annotations/instances_train.json")',
                "voc": 'from_pascal_voc(sys.argv[1] + "/JPEGImages", sys.argv[1] + "/Annotations")',
            }[tree]
            found.append((tree, "supervision", field, SUPERVISION.format(call=call)))
    return found


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--field-python")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        write_trees(Path(scratch), options.images, options.seed)
        taken: dict[tuple[str, str], list[float]] = {}
        counts: dict[tuple[str, str], str] = {}
        for round_ in range(options.rounds):
            for tree, who, python, code in readers(options.field_python):
                seconds, counted = measure(python, code, Path(scratch) / tree)
                taken.setdefault((tree, who), []).append(seconds)
                counts[tree, who] = counted
                print(f"round {round_ + 1}: {tree}, {who}: {seconds:.2f} s", file=sys.stderr, flush=True)
    print(f"| tree | reader | CPU s, median of {options.rounds} (range) | images/s | read |\n|---|---|---|---|---|")
    for (tree, who), seconds_of in taken.items():
        middle = statistics.median(seconds_of)
        spread = f"{middle:.2f} ({min(seconds_of):.2f}-{max(seconds_of):.2f})"
        print(f"| {tree} | {who} | {spread} | {options.images / middle:,.0f} | {counts[tree, who]} |")


if __name__ == "__main__":
    main()
