"""Small datasets, one for each layout that a reader knows, as other people's tools write them.

Add yours to ``MINIATURES``, or name a module ``native_miniatures`` with ``MINIATURES: dict[format name, writer]``: it is taken along.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from threatray.core.image_file import write_png
from threatray.datasets.dataset import Dataset
from threatray.datasets.formats import format_of, read_dataset

WIDTH, HEIGHT = 31, 37


@dataclass(frozen=True)
class Miniature:
    """One layout.

    Args:
        name: Of the layout.
        format_name: Which reader reads it.
        write: Writes it into an empty folder.
        ids: Ids of the entries that come out; None for a layout that has faults of its own, so that strict reading refuses it.
    """

    name: str
    format_name: str
    write: Callable[[Path], object]
    ids: tuple[str, ...] | None


def read(format_name: str, root: Path, *, strict: bool = False) -> Dataset:
    """Read by a named format."""
    return read_dataset(root, format_name, strict)


def detect(format_name: str, root: Path) -> bool:
    """Whether the format recognises the folder."""
    return format_of(format_name).detect(root)


def pixels(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def picture(path: Path, seed: int = 0) -> None:
    """A colour picture; the suffix says of which kind."""
    if path.suffix == ".png":
        write_png(path, pixels(seed))
    else:
        from threatray.core.image_file import write_jpeg

        write_jpeg(path, pixels(seed))


def picture_bytes(seed: int = 0, kind: str = "PNG") -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels(seed)).save(buffer, kind)
    return buffer.getvalue()


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


# ---------------------------------------------------------------- COCO, VOC, folder


def coco(root: Path) -> None:
    for number in (1, 2):
        picture(root / f"images/bag{number}.jpg", number)
    document = {
        "images": [{"id": number, "file_name": f"bag{number}.jpg", "width": WIDTH, "height": HEIGHT} for number in (1, 2)],
        "categories": [{"id": 7, "name": "gun"}, {"id": 3, "name": "칼"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 7, "bbox": [2, 3, 10.5, 20], "segmentation": [[2, 3, 12, 3, 12, 23, 2, 23]]},
            {
                "id": 2,
                "image_id": 2,
                "category_id": 3,
                "bbox": [0, 0, 1, 2],
                "segmentation": {"size": [37, 31], "counts": [0, 2, 1145]},
                "iscrowd": 0,
            },
        ],
        "licenses": [{"id": 1, "name": "CC0"}],
    }
    text(root / "annotations/instances_train.json", json.dumps(document))


def voc(root: Path) -> None:
    thing = "<object><name>{}</name><bndbox><xmin>2</xmin><ymin>3</ymin><xmax>12.5</xmax><ymax>20</ymax></bndbox></object>"
    for name, label in (("0001", "Gun"), ("0002", "刀")):
        picture(root / f"JPEGImages/{name}.jpg", int(name))
        size = "<size><width>31</width><height>37</height><depth>3</depth></size>"
        text(root / f"Annotations/{name}.xml", f"<annotation><filename>P{name}.jpg</filename>{size}{thing.format(label)}</annotation>")


def image_folder(root: Path) -> None:
    picture(root / "a.jpg", 1)
    picture(root / "b.png", 2)
    for energy in ("low", "high"):
        write_png(root / f"b_{energy}.png", np.full((HEIGHT, WIDTH), 900, np.uint16))


# ---------------------------------------------------------------- YOLO

ULTRALYTICS = """# Ultralytics
path: ../datasets/bags # dataset root dir
train: images/train # train images (relative to 'path')
val: images/val
test: # test images (optional)

# Classes
names:
  0: gun
  1: knife
"""


def yolo_ultralytics(root: Path) -> None:
    text(root / "data.yaml", ULTRALYTICS)
    for part, name in (("train", "a"), ("train", "b"), ("val", "c")):
        picture(root / f"images/{part}/{name}.jpg", ord(name))
    text(root / "labels/train/a.txt", "0 0.5 0.5 0.25 0.5\n1 0.25 0.25 0.125 0.125\n")
    text(root / "labels/train/b.txt", "")
    text(root / "labels/val/c.txt", "1 0.5 0.5 1 1")


ROBOFLOW = """train: ../train/images
val: ../valid/images
test: ../test/images

nc: 2
names: ['gun', 'no']

roboflow:
  workspace: x
  license: CC BY 4.0
"""


def yolo_roboflow(root: Path) -> None:
    text(root / "data.yaml", ROBOFLOW)
    for part, name in (("train", "a_jpg.rf.0a1b"), ("valid", "b"), ("test", "c")):
        picture(root / f"{part}/images/{name}.jpg", ord(name[0]))
        text(root / f"{part}/labels/{name}.txt", "1 0.5 0.5 0.25 0.5")


def yolo_darknet(root: Path) -> None:
    """As CVAT exports YOLO 1.1: paths begin with a folder that is not there."""
    text(root / "obj.data", "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n")
    text(root / "obj.names", "gun\n칼\n")
    text(root / "train.txt", "data/obj_train_data/a.png\ndata/obj_train_data/b.png\n")
    for name, line in (("a", "1 0.500000 0.500000 0.250000 0.500000\n"), ("b", "")):
        picture(root / f"obj_train_data/{name}.png", ord(name))
        text(root / f"obj_train_data/{name}.txt", line)


def yolo_labelimg(root: Path) -> None:
    text(root / "classes.txt", "gun\nknife\n")
    for name in ("a", "b"):
        picture(root / f"{name}.jpg", ord(name))
        text(root / f"{name}.txt", "0 0.5 0.5 0.25 0.5\n")


def yolo_segments(root: Path) -> None:
    text(root / "data.yaml", ULTRALYTICS)
    picture(root / "images/train/a.png", 1)
    text(root / "labels/train/a.txt", "0 0.1 0.1 0.9 0.1 0.5 0.9\n1 0.5 0.5 0.9 0.5 0.9 0.9 0.7 1.0 0.5 0.9\n")


def yolo_obb(root: Path) -> None:
    text(root / "data.yaml", ULTRALYTICS)
    picture(root / "images/train/a.png", 1)
    text(root / "labels/train/a.txt", "1 0.5 0.25 0.75 0.5 0.5 0.75 0.25 0.5\n")


# ---------------------------------------------------------------- CycleGAN, Hugging Face, WebDataset


def cyclegan_folders(root: Path) -> None:
    for folder in ("trainA", "trainB", "testA", "testB"):
        picture(root / folder / "0001.jpg", 1)
    picture(root / "trainB/sub/only.png", 3)


CARD = """---
license: cc-by-4.0
dataset_info:
  features:
  - name: image
    dtype: image
  - name: objects
    sequence:
    - name: bbox
      sequence: float32
      length: 4
    - name: categories
      dtype:
        class_label:
          names:
            '0': gun
            '1': 칼
---
# Bags
"""


def hugging_face_jsonl(root: Path) -> None:
    lines = [
        {"file_name": "0001.png", "objects": {"bbox": [[2.0, 3.0, 10.5, 20.0]], "categories": [0]}},
        {"file_name": "0002.png", "objects": {"bbox": [[1.0, 1.0, 5.0, 5.0], [20.0, 30.0, 8.0, 4.0]], "categories": [1, 1]}},
        {"file_name": "0003.png", "objects": {"bbox": [], "categories": []}},
    ]
    for number in (1, 2, 3):
        picture(root / f"train/000{number}.png", number)
    text(root / "train/metadata.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    text(root / "README.md", CARD)


def hugging_face_csv(root: Path) -> None:
    for name in ("a.png", "b.png"):
        picture(root / name, ord(name[0]))
    objects = json.dumps({"bbox": [[2, 3, 10.5, 20]], "category": ["knife, 'long'"]}).replace('"', '""')
    text(root / "metadata.csv", f'file_name,objects,label\na.png,"{objects}",\nb.png,,gun\n')


def hugging_face_shards(root: Path) -> None:
    """As ``push_to_hub`` writes: objects as a struct of lists, ClassLabel names in the schema's metadata."""
    import pyarrow as pa
    from pyarrow.parquet import write_table

    category = {"feature": {"names": ["gun", "칼"], "_type": "ClassLabel"}, "_type": "Sequence"}
    box = {"feature": {"feature": {"dtype": "float32", "_type": "Value"}, "length": 4, "_type": "Sequence"}, "_type": "Sequence"}
    features = {"image": {"_type": "Image"}, "objects": {"bbox": box, "category": category}}
    kinds = pa.schema(
        [
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("objects", pa.struct([("bbox", pa.list_(pa.list_(pa.float32(), 4))), ("category", pa.list_(pa.int64()))])),
        ],
        metadata={b"huggingface": json.dumps({"info": {"features": features}})},
    )
    rows = [
        {"image": {"bytes": picture_bytes(1), "path": "a.png"}, "objects": {"bbox": [[2, 3, 10.5, 20]], "category": [1]}},
        {"image": {"bytes": picture_bytes(2, "JPEG"), "path": None}, "objects": {"bbox": [], "category": []}},
    ]
    (root / "data").mkdir(parents=True)
    write_table(pa.Table.from_pylist(rows, schema=kinds), root / "data/train-00000-of-00001.parquet")


def tar(path: Path, members: list[tuple[str, bytes]], mode: str = "w") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode, format=tarfile.USTAR_FORMAT) as archive:  # type: ignore[call-overload]
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def web_shards(root: Path) -> None:
    record = json.dumps({"objects": [{"bbox": [2, 3, 10.5, 20], "category": "gun"}]}).encode()
    tar(
        root / "train-000000.tar",
        [
            ("sample0.jpg", picture_bytes(1, "JPEG")),
            ("sample0.json", record),
            ("sample0.txt", b"a gun"),
            ("sub/sample1.png", picture_bytes(2)),
            ("sub/sample1.cls", b"1"),
        ],
    )
    tar(root / "test-000000.tar", [("sample2.png", picture_bytes(3)), ("sample2.json", b'{"objects": {"bbox": [], "category": []}}')])
    text(root / "classes.txt", "gun\n칼\n")


MINIATURES: list[Miniature] = [
    Miniature("coco", "coco", coco, ("bag1", "bag2")),
    Miniature("voc", "voc", voc, ("0001", "0002")),
    Miniature("image_folder", "image_folder", image_folder, ("a", "b")),
    Miniature("yolo_ultralytics", "yolo", yolo_ultralytics, ("a", "b", "c")),
    Miniature("yolo_roboflow", "yolo", yolo_roboflow, ("a_jpg.rf.0a1b", "b", "c")),
    Miniature("yolo_darknet", "yolo", yolo_darknet, ("a", "b")),
    Miniature("yolo_labelimg", "yolo", yolo_labelimg, ("a", "b")),
    Miniature("yolo_segments", "yolo_segments", yolo_segments, ("a",)),
    Miniature("yolo_obb", "yolo_obb", yolo_obb, ("a",)),
    Miniature("cyclegan", "cyclegan", cyclegan_folders, ("sub__only", "testA__0001", "testB__0001", "trainA__0001", "trainB__0001")),
    Miniature("hugging_face_jsonl", "hugging_face", hugging_face_jsonl, ("0001", "0002", "0003")),
    Miniature("hugging_face_csv", "hugging_face", hugging_face_csv, ("a", "b")),
    Miniature("hugging_face_parquet", "hugging_face_parquet", hugging_face_shards, ("a", "train-00000-of-00001__00000002")),
    Miniature("webdataset", "webdataset", web_shards, ("sample0", "sample2", "sub__sample1")),
]


def _native() -> list[Miniature]:
    """The published datasets' layouts, where they are."""
    if find_spec("native_miniatures") is None:
        return []
    module = import_module("native_miniatures")
    return [Miniature(name, name, write, None) for name, write in module.MINIATURES.items()]


MINIATURES += _native()
