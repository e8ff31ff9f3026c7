"""Small copies of the published X-ray datasets in their own layouts, with their known faults; pixels are noise.

``MINIATURES`` has one builder a format, ``OTHER_LAYOUTS`` further layouts of the same formats (``format:variant``). A builder writes
into an empty folder. All images are 31 wide and 37 high unless said.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from threatray.core.image_file import write_jpeg, write_png

WIDTH, HEIGHT = 31, 37

Builder = Callable[[Path], None]


def picture(path: Path, seed: int, width: int = WIDTH, height: int = HEIGHT) -> None:
    """A colour picture of noise, as JPEG or PNG by its name."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    if path.suffix.lower() in (".jpg", ".jpeg"):
        write_jpeg(path, pixels)
    else:
        write_png(path, pixels)


def counts(path: Path, seed: int, width: int = WIDTH, height: int = HEIGHT, dtype: type = np.uint16) -> None:
    """A grey picture of noise with 8 or 16 bits."""
    write_png(path, np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, (height, width), dtype=dtype))


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def voc(objects: str, size: str = "<size><width>31</width><height>37</height></size>") -> str:
    return f"<annotation><filename>x.jpg</filename>{size}{objects}</annotation>"


def voc_object(name: str, *corners: object) -> str:
    tags = "".join(f"<{tag}>{value}</{tag}>" for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True))
    return f"<object><name>{name}</name><bndbox>{tags}</bndbox></object>"


def coco(path: Path, names: list[str], images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> None:
    """A COCO file whose categories are numbered from 1."""
    categories = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}, ensure_ascii=False))


def sixray(root: Path) -> None:
    for number, name in enumerate(("P00001", "P00002", "P00003", "P00005", "P00009", "N0000001", "N0000002", "N0000004")):
        picture(root / "JPEGImage" / f"{name}.jpg", number)
    text(root / "Annotation/P00001.xml", voc(voc_object("Gun", 2, 3, 12, 20) + voc_object("Knife", 15.5, 1, 31.5, 9)))
    text(root / "Annotation/P00002.xml", voc(voc_object("Gun", 1, 1, 9, 9)))  # the lists say a wrench is there too
    text(root / "positive-Annotation/P00002.xml", voc(voc_object("Knife", 1, 1, 2, 2)))  # an older copy, not read
    text(root / "Annotation/P00005.xml", voc(voc_object("Gun", 9, 9, 2, 2)))  # its only box has no area; no list names it
    text(root / "Annotation/P00007.xml", voc(voc_object("Gun", 1, 1, 9, 9)))  # the archive with its image is missing
    header = "name,Gun,Knife,Wrench,Pliers,Scissors\n"
    text(
        root / "ImageSet/10/train.csv",
        header + "P00001,1,1,-1,-1,-1\nP00003,-1,-1,-1,1,-1\nN0000001,-1,-1,-1,-1,-1\nN0000009,-1,-1,-1,-1,-1\nP00011,yes,-1,-1,-1,-1\n",
    )
    text(root / "ImageSet/10/test.csv", header + "P00002.jpg,1,-1,1,-1,-1\nN0000002,-1,-1,-1,-1,-1\n")
    text(root / "ImageSet/100/train.csv", header + "P00001,1,1,-1,-1,-1\nN0000004,-1,-1,-1,-1,-1\n")
    text(root / "ImageSet/100/test.csv", header + "N0000001,-1,-1,-1,-1,-1\n")  # training in the smaller subset


def sixray_numbered(root: Path) -> None:
    picture(root / "2/P00001.jpg", 1)
    picture(root / "10/N0000001.jpg", 2)
    text(root / "positive-Annotation/P00001.xml", voc(voc_object("Wrench", 1, 2, 3, 4)))


def opixray(root: Path) -> None:
    for number, name in enumerate(("009001", "009002", "009003", "009004")):
        picture(root / f"train/train_image/{name}.jpg", number)
    for number, name in enumerate(("009010", "009011", "009012")):
        picture(root / f"test/test_image/{name}.jpg", 10 + number)
    annotation = root / "train/train_annotation"
    text(annotation / "009001.txt", "009001.jpg Folding_Knife 2 3 12 20\n009001.jpg Scissor 20 30 35 36\n")  # four pixels over the edge
    text(annotation / "009002.txt", "009002.jpg Straight_Knife 40 3 50 20\n")  # wholly outside
    text(annotation / "009003.txt", "")  # background
    text(annotation / "009005.txt", "009005.jpg Scissor 1 1 9 9\n")  # no image
    text(root / "train/train_knife.txt", "009001\n009002\n009003\n009077\n")
    annotation = root / "test/test_annotation"
    text(annotation / "009010.txt", "009010.jpg Utility_Knife 1 2 3 4\r\n")
    text(annotation / "009011.txt", "009012.jpg Multi-tool_Knife 1 2 30 31\nhalf a line\n")
    text(annotation / "009012.txt", "009012.jpg Machete 5 5 9 9\n")
    text(root / "test/test_knife.txt", "009010\n009011\n009012\n")
    for level, names in ((1, "009010\n"), (2, "009011.jpg\n"), (3, "009012\n009010\n")):
        text(root / f"test/test_knife-{level}.txt", names)


def hixray(root: Path) -> None:
    picture(root / "train/train_image/0064592010.jpg", 1)
    counts(root / "train/train_image/0064592011.TIFF", 2)
    text(root / "train/train_annotation/0064592010.txt", "0064592010.jpg Mobile_Phone 2 3 12 20\n0064592010.jpg Laptop 1 1 30 36\n")
    text(root / "train/train_annotation/0064592011.txt", "0064592011.jpg Nonmetallic_Lighter 4 5 6 7\n")
    text(root / "train/train_name.txt", "0064592010\n0064592011\n")
    picture(root / "test/test_image/0064592099.jpg", 3)
    text(root / "test/test_annotation/0064592099.txt", "0064592099.jpg Water 0 nan 9 9\n0064592099.jpg Water 0 1 9 9\n")
    text(root / "test/test_name.txt", "0064592099\n")


def xray_fsod(root: Path) -> None:
    for number, part in enumerate(("train", "test")):
        picture(root / part / "images/00787.jpg", number)
        text(root / part / "annotations/00787.txt", f"00787.jpg iron_shoe {number} 2 12 20\n00787.jpg spray_alcohol 5 5 9 9\n")
    text(root / "test/annotations/00788.txt", "00788.jpg battery 1 2 3 4\n")  # no image


def eds(root: Path) -> None:
    for number, domain in enumerate(("domain1", "domain2", "domain3"), 1):
        picture(root / domain / "images/0001.jpg", number)
        text(root / domain / "labels/0001.xml", voc(voc_object("DrinkBottle", number, 2, 12, 20)))
        text(root / domain / "val.txt", "0001\n")
    picture(root / "domain1/images/0002.jpg", 9)  # no annotation
    text(root / "domain2/labels/0005.xml", voc(voc_object("umbrella", 1, 2, 3, 4)))  # no image
    text(root / "domain3/labels/0006.xml", "<annotation>")
    text(root / "domain3/val.txt", "0001\n0007\n")


PIDRAY = ["Baton", "Pliers", "Hammer", "Powerbank", "Scissors", "Wrench", "Gun", "Bullet", "Sprayer", "HandCuffs", "Knife", "Lighter"]


def pidray(root: Path) -> None:
    size = {"width": WIDTH, "height": HEIGHT}
    for part, folder, category in (
        ("train", "train", 7),
        ("test_easy", "easy", 1),
        ("test_hard", "hard", 11),
        ("test_hidden", "hidden", 8),
    ):
        picture(root / folder / f"xray_{folder}01.png", category)
        images: list[dict[str, Any]] = [{"id": 1, "file_name": f"xray_{folder}01.png", **size}]
        triangle = [[2.0, 3.0, 12.0, 3.0, 12.0, 20.0]]
        things: list[dict[str, Any]] = [
            {"id": 1, "image_id": 1, "category_id": category, "bbox": [2, 3, 10, 17], "segmentation": triangle, "iscrowd": 0}
        ]
        if part == "train":
            picture(root / "train/xray_train03.png", 33)
            images += [{"id": 2, "file_name": "xray_train02.png", **size}, {"id": 3, "file_name": "xray_train03.png", **size}]
            things += [
                {"id": 2, "image_id": 2, "category_id": 1, "bbox": [1, 1, 2, 2]},
                {"id": 3, "image_id": 1, "category_id": 2, "bbox": [0, 0, 31, 37], "iscrowd": 1},
                {"id": 4, "image_id": 1, "category_id": 3, "bbox": [4, 5, 6, 7], "segmentation": [[1, 2, 3]]},
                {"id": 5, "image_id": 3, "category_id": 99, "bbox": [4, 5, 6, 7]},
                {"id": 6, "image_id": 77, "category_id": 1, "bbox": [4, 5, 6, 7]},
            ]
        coco(root / f"annotations/xray_{part}.json", PIDRAY, images, things)


def pidray_2(root: Path) -> None:
    for number, part in enumerate(("train", "test")):
        picture(root / part / "a.png", number)
        thing = {"id": 1, "image_id": 1, "category_id": 10 + number, "bbox": [1, 2, 3, 4]}
        coco(root / f"annotations/{part}.json", PIDRAY, [{"id": 1, "file_name": "a.png"}], [thing])


CLCXRAY = ["blade", "scissors", "knife", "dagger", "SwissArmyKnife", "PlasticBottle"]
CLCXRAY += ["Cans", "VacuumCup", "GlassBottle", "CartonDrinks", "Tin", "SprayCans"]


def clcxray(root: Path) -> None:
    picture(root / "image/train/20_40_04_139.png", 1)
    picture(root / "image/train/20_40_04_140.png", 2)
    images = [{"id": 7546, "file_name": "20_40_04_139.png"}, {"id": 7547, "file_name": ".png"}, {"id": 8, "file_name": ""}]
    things = [
        {"id": 1, "image_id": 7546, "category_id": 5, "bbox": [1, 2, 3, 4]},
        {"id": 2, "image_id": 7547, "category_id": 10, "bbox": [5, 6, 7, 8]},
        {"id": 3, "image_id": 8, "category_id": 1, "bbox": [5, 6, 7, 8]},
    ]
    coco(root / "annotation/CLCXray_train.json", CLCXRAY, images, things)
    picture(root / "image/test/a.png", 3)
    coco(root / "annotation/CLCXray_test.json", CLCXRAY, [{"id": 1, "file_name": "a.png"}], [])


def clcxray_2017(root: Path) -> None:
    for number, part in enumerate(("train", "val", "test")):
        picture(root / f"{part}2017/a.png", number)
        thing = {"id": 1, "image_id": 1, "category_id": number + 1, "bbox": [1, 2, 3, 4]}
        coco(root / f"annotations/instances_{part}2017.json", CLCXRAY, [{"id": 1, "file_name": "a.png"}], [thing])


def pixray(root: Path) -> None:
    for number, name in enumerate(("143345099", "143345100", "143345101", "143345102")):
        picture(root / f"train_set/{name}.png", number)
    outline = [[2, 3], [12.5, 3], [12.5, 20], [2, 20]]
    text(
        root / "train_set/143345099.json",
        json.dumps({"objects": [{"label": "Saw_blade", "polygon": outline}, {"label": "Dart", "polygon": [[1, 1], [4, 9]]}]}),
    )
    text(root / "train_set/143345100.json", json.dumps({"objects": [{"label": "Gun", "polygon": []}]}))
    text(root / "train_set/143345101.json", json.dumps({"objects": []}))
    text(root / "train_set/143345109.json", json.dumps({"objects": [{"label": "Gun", "polygon": outline}]}))  # no image


def pixray_coco(root: Path) -> None:
    for number, part in enumerate(("train", "test")):
        picture(root / part / f"{number}.png", number)
        thing = {"id": 1, "image_id": 1, "category_id": 1 + number, "bbox": [1, 2, 3, 4], "segmentation": [[1, 2, 4, 2, 4, 6]]}
        coco(root / f"annotations/pixray_{part}.json", ["Gun", "Knife"], [{"id": 1, "file_name": f"{number}.png"}], [thing])


def gdxray(root: Path) -> None:
    for series, number in (("B0044", 1), ("B0046", 1), ("B0046", 2), ("B0046", 3), ("B0046", 4), ("B0049", 1), ("B0050", 1)):
        counts(root / f"Baggages/{series}/{series}_{number:04d}.png", number, dtype=np.uint8)
    text(
        root / "Baggages/B0046/ground_truth.txt",
        "   1.0000000e+00   2.0000000e+00   1.2000000e+01   3.0000000e+00   2.0000000e+01\n"  # image 1: x 2-12, y 3-20
        "1\t20\t10\t30\t25\n"  # image 1: corners the other way round: x 10-20, y 25-30
        "2 5 6 15 8 13 18 3 16\n"  # image 2: four corners of a turned box
        "3 40 50 1 9\n"  # image 3: wholly outside
        "4 7 8\n"  # image 4: a point
        "9 1 2 3 4\n"  # no such image
        "what is this\n",
    )
    text(root / "Baggages/B0050/ground_truth.txt", "1 1 9 2 10\n")
    counts(root / "Castings/C0001/C0001_0001.png", 9, dtype=np.uint8)


def dvxray(root: Path) -> None:
    positive, negative = root / "DvXray_Positive_Samples", root / "DvXray_Negative_Samples"
    for number, (folder, name) in enumerate(((positive, "P00001"), (positive, "P00002"), (negative, "N00001"))):
        picture(folder / f"{name}_OL.png", number)
        if name != "P00002":  # its side view is missing
            picture(folder / f"{name}_SD.png", 10 + number, 41, 29)
    gun = {"label": "Gun", "ol_bb": [12, 20, 2, 3], "sd_bb": [1, 2, 40, 28]}
    dart = {"label": "Dart", "ol_bb": [5, 6, 9, 9], "sd_bb": "difficult"}
    text(positive / "P00001.json", json.dumps({"name": "P00001", "objects": [gun, dart]}))
    text(
        positive / "P00002.json",
        json.dumps({"name": "P00002", "objects": [{"label": "Bat", "ol_bb": [1, 1, 1, 5], "sd_bb": [1, 1, 3, 5]}]}),
    )
    text(positive / "P00003.json", "{")
    text(negative / "N00001.json", json.dumps({"name": "N00001", "objects": "None"}))


def dvxray_flat(root: Path) -> None:
    for view in ("OL", "SD"):
        picture(root / f"N00001_{view}.png", len(view))
    text(root / "N00001.json", json.dumps({"objects": "None"}))


def ldxray(root: Path) -> None:
    names = ["手机", "橙色液体", "Laptop"]
    for part, numbers in (("train", (1, 2, 3)), ("test", (1,))):
        for number in numbers:
            picture(root / f"{part}_A/{number:06d}.jpg", number)
            if (part, number) != ("train", 3):  # its side view is missing
                picture(root / f"{part}_B/{number:06d}.jpg", 50 + number, 31, 41)
        images = [{"id": number, "file_name": f"{number:06d}.jpg", "width": WIDTH, "height": HEIGHT} for number in numbers]
        things = [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 3, 10, 17]},
            {"id": 2, "image_id": 1, "category_id": 2, "bbox": [20, 30, 5, 5]},
            {"id": 3, "image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2]},
        ]
        coco(root / f"{part}.json", names, images, things)


def stcray(root: Path) -> None:
    def boxed(label: str, points: list[list[float]], kind: str = "rectangle", width: int = WIDTH) -> str:
        shape = {"label": label, "shape_type": kind, "points": points}
        return json.dumps({"imageWidth": width, "imageHeight": HEIGHT, "shapes": [shape]})

    train, test = root / "STCray_TrainSet", root / "STCray_TestSet"
    for number, name in enumerate(("a", "b", "c", "d")):
        picture(train / f"Images/Class 2_Gun/{name}.jpg", number)
    text(train / "Json_BB/Class 2_Gun/a.json", boxed("Gun", [[12, 20], [2.5, 3]]))  # corners the other way round
    text(train / "Json_BB/Class 2_Gun/b.json", boxed("Gun", [[2, 3], [9, 3], [9, 9]], "polygon"))
    text(train / "Json_BB/Class 2_Gun/c.json", boxed("Gun", [[2, 3], [9, 9]], width=99))
    text(train / "Json_BB/Class 2_Gun/z.json", boxed("Gun", [[2, 3], [9, 9]]))  # no image
    picture(train / "Images/Class 22_Non Threat/a.png", 9)
    picture(test / "Images/Class 2_Gun/a.jpg", 10)
    text(test / "Json_BB/Class 2_Gun/a.json", boxed("3D printed gun", [[1, 2], [3, 4]]))


def compass_xp(root: Path) -> None:
    base = root / "COMPASS-XP"
    rows = [
        "basename\tclass\tdangerous\tinstance\tpose\tscan_tray",
        "0001\tcarving_knife\tTrue\t3\t1\tgrey",
        "0002\tcarving_knife\tTrue\t3\t2\tgrey",
        "3\tteddy\tFalse\t1\t1\tgrey",
        "0004\tpistol\tTrue\t1\t1\tgrey",
        "0005\thammer\tTrue\t1\t1\tgrey",
        "../0001\thammer\tTrue\t1\t1\tgrey",
        "0001\thammer\tTrue\t1\t1\tgrey",
        "0006\thammer\tTrue\t2\t1\tgrey",
    ]
    text(base / "meta.txt", "\n".join(rows) + "\n")
    for number in (1, 2, 3, 5):
        picture(base / f"Colour/{number:04d}.png", number)
    counts(base / "Grey/0004.png", 4, dtype=np.uint8)
    for energy, seed in (("Low", 100), ("High", 200)):
        counts(base / energy / "0001.png", seed)
        counts(base / energy / "0002.png", seed + 1, dtype=np.uint8)
        picture(base / energy / "0003.png", seed + 2)  # in colour
    counts(base / "Low/0004.png", 104)  # the other energy is missing
    counts(base / "Low/0005.png", 105)
    counts(base / "High/0005.png", 205, 30, 37)  # of another size
    picture(base / "Photo/0001.jpg", 300)


MINIATURES: dict[str, Builder] = {
    "sixray": sixray,
    "opixray": opixray,
    "hixray": hixray,
    "eds": eds,
    "xray_fsod": xray_fsod,
    "pidray": pidray,
    "clcxray": clcxray,
    "pixray": pixray,
    "gdxray": gdxray,
    "dvxray": dvxray,
    "ldxray": ldxray,
    "stcray": stcray,
    "compass_xp": compass_xp,
}

OTHER_LAYOUTS: dict[str, Builder] = {
    "sixray:numbered": sixray_numbered,
    "pidray:2": pidray_2,
    "clcxray:2017": clcxray_2017,
    "pixray:coco": pixray_coco,
    "dvxray:flat": dvxray_flat,
}
