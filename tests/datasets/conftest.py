from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from threatray.core.image_file import write_png
from threatray.datasets.formats.unpacked import CACHE_VARIABLE

WIDTH, HEIGHT = 31, 37


def pixels(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Pictures unpacked from archives go here, never to the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def coco(tmp_path: Path) -> Callable[..., Path]:
    """Write a COCO folder with two sound images; overrides go into the document."""

    def write(**overrides: Any) -> Path:
        root = tmp_path / "coco"
        for number in (1, 2):
            write_png(root / "images" / f"bag{number}.png", pixels(number))
        document = {
            "images": [{"id": number, "file_name": f"bag{number}.png", "width": WIDTH, "height": HEIGHT} for number in (1, 2)],
            "categories": [{"id": 7, "name": "gun"}, {"id": 3, "name": "knife"}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 7, "bbox": [2, 3, 10.5, 20]},
                {"id": 2, "image_id": 1, "category_id": 3, "bbox": [1, 1, 5, 5]},
                {"id": 3, "image_id": 2, "category_id": 3, "bbox": [20, 30, 8, 4]},
            ],
        }
        document.update(overrides)
        (root / "annotations.json").write_text(json.dumps(document))
        return root

    return write


XML = "<annotation><filename>{filename}</filename><size><width>31</width><height>37</height></size>{objects}</annotation>"
OBJECT = "<object><name>{name}</name><bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object>"


@pytest.fixture
def voc(tmp_path: Path) -> Callable[..., Path]:
    """Write a VOC folder laid out like the SIXray part: image 0000.jpg, original id P00004.jpg."""

    def write(extra: dict[str, str] | None = None) -> Path:
        root = tmp_path / "voc"
        (root / "annotations").mkdir(parents=True)
        write_png(root / "images" / "0000.png", pixels(0))
        sound = XML.format(filename="P00004.jpg", objects=OBJECT.format(2.25, 3.5, 12.125, 20.75, name="Knife"))
        (root / "annotations" / "0000.xml").write_text(sound)
        for name, text in (extra or {}).items():
            (root / "annotations" / name).write_text(text)
        return root

    return write
