"""Three kinds of scan, one law: grey and dual-energy data through signatures and composites, at their own depth and white level."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from threatray.balance.plan import PlanConfig
from threatray.balance.quota import Strategy
from threatray.cli.main import main
from threatray.core import DUAL_ENERGY, GREY, Origin, OriginKind, Quantity, Signature, XrayImage
from threatray.core.files import read_json, write_json
from threatray.core.image_file import read_pixels, write_jpeg, write_png
from threatray.core.manifest import RunManifest
from threatray.datasets.masks import decode_mask
from threatray.errors import ConfigError, DataError
from threatray.pipeline.progress import Progress
from threatray.pipeline.sources import Role, Sources, Taxonomy
from threatray.pipeline.stage import Run
from threatray.pipeline.stages.compose_stage import compose
from threatray.pipeline.stages.plan_stage import plan
from threatray.pipeline.stages.signatures_stage import SignaturesConfig, signatures
from threatray.pipeline.stages.split_stage import SplitConfig, split
from threatray.tip.bag_map import BagMap
from threatray.tip.compose import CompositeParams, apply_composite
from threatray.tip.draw import ComposeConfig, draw_composite
from threatray.tip.library import SignatureLibrary

RUN = Run(seed=3, progress=Progress(quiet=True), workers=1)
SIZE = (90, 130)


def counts_of(number: int, *, threat: bool, white: int, channels: int) -> tuple[np.ndarray[Any, Any], tuple[int, int, int, int] | None]:
    """(C, H, W) counts with photon noise: a bag in air that is as often over its white level as under, a plate of steel where wanted."""
    rng = np.random.default_rng([number, threat])
    attenuation = np.zeros((channels, *SIZE))
    attenuation[:, 12:78, 15:115] = rng.uniform(0.25, 0.4)
    if threat:
        top, left = int(rng.integers(25, 40)), int(rng.integers(30, 60))
        attenuation[:, top : top + 22, left : left + 34] += np.array([1.5, 0.8])[:channels, None, None]
    photons = 20_000
    counts = np.rint(rng.poisson(np.exp(-attenuation) * photons) * (white / photons))
    stored = np.clip(counts, 0, 65535 if white > 255 else 255).astype(np.uint16 if white > 255 else np.uint8)
    return stored, ((left - 3, top - 3, 40, 28) if threat else None)


def write_scans(root: Path, count: int, *, threat: bool, white: int, channels: int, say_white: bool = False) -> Path:
    """A COCO dataset of labelled scans, or a bare folder of benign ones."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number in range(count):
        counts, box = counts_of(number, threat=threat, white=white, channels=channels)
        names = [f"scan{number}.png"] if channels == 1 else [f"scan{number}_low.png", f"scan{number}_high.png"]
        for plane, name in zip(counts, names, strict=True):
            write_png(root / "images" / name, plane)
        if threat:
            image = {"id": number, "file_name": names[-1], "height": SIZE[0], "width": SIZE[1], "group": f"bag{number}"}
            image |= {"low_file_name": names[0], "high_file_name": names[1]} if channels == 2 else {}
            images.append(image | ({"white_level": white} if say_white else {}))
            annotations.append({"id": number, "image_id": number, "category_id": 1, "bbox": list(box), "iscrowd": 0})
    if threat:
        write_json(root / "annotations.json", {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "gun"}]})
    return root


def whole_way(tmp_path: Path, white: int, channels: int, taxonomy: Taxonomy, *, say_white: bool = False) -> dict[str, RunManifest]:
    paths = {
        Role.LABELLED: write_scans(tmp_path / "scans", 6, threat=True, white=white, channels=channels, say_white=say_white),
        Role.BENIGN: write_scans(tmp_path / "bags", 6, threat=False, white=white, channels=channels),
    }
    at = {name: tmp_path / name for name in ("split", "signatures", "plan", "compose")}
    made = {"split": split(SplitConfig(near_duplicates=False), taxonomy, paths, at["split"], RUN)}
    made["signatures"] = signatures(SignaturesConfig(), taxonomy, paths, at["split"], at["signatures"], RUN)
    wanted = PlanConfig(Strategy.PRESERVE, total=4)
    made["plan"] = plan(wanted, taxonomy, paths, at["split"], at["signatures"], at["signatures"], at["plan"], RUN)
    made["compose"] = compose(ComposeConfig(), taxonomy, paths, at["plan"], at["signatures"], at["signatures"], at["compose"], RUN)
    return made


@pytest.mark.parametrize(
    ("white", "channels", "given", "said"),
    [(60_000, 2, None, False), (60_000, 2, 60_000, False), (3_900, 1, None, False), (60_000, 1, None, True), (250, 1, 250, False)],
    ids=["pairs, white from air", "pairs, white given", "12-bit grey from air", "16-bit grey, white said", "8-bit grey, white given"],
)
def test_scans_of_counts_go_the_whole_way_at_their_own_depth(
    tmp_path: Path, white: int, channels: int, given: int | None, said: bool
) -> None:
    taxonomy = Taxonomy(("gun",), {}, white_level=given)
    made = whole_way(tmp_path, white, channels, taxonomy, say_white=said)
    library = SignatureLibrary.open(tmp_path / "signatures")
    assert len(library) == made["signatures"].summary["signatures"]["gun"] > 0
    added = np.median(library.load(library.ids()[0]).image.attenuation().values.reshape(channels, -1), axis=1)
    np.testing.assert_allclose(added, [1.5, 0.8][:channels], rtol=0.06), "the plate's own attenuation, in each energy"
    clipped = made["compose"].summary["clipped"]
    assert 0.05 < clipped["over_white"] / clipped["values"] < 0.35, "half of the air is brighter than white"

    written = read_json(tmp_path / "compose" / "annotations.json")
    assert len(written["images"]) == made["compose"].summary["composites"] > 0
    dtype = np.uint16 if white > 255 else np.uint8
    for image in written["images"]:
        names = [image["low_file_name"], image["high_file_name"]] if channels == 2 else [image["file_name"]]
        mask = decoded(tmp_path / "compose" / "annotations.json", image["id"])
        for name in names:
            pixels = read_pixels(tmp_path / "compose" / "images" / name)
            bag = read_pixels(tmp_path / "bags" / "images" / bag_file(tmp_path, image, name))
            assert pixels.dtype == bag.dtype == dtype, "the depth of the source is kept"
            far = ~grown(mask, 3)
            np.testing.assert_array_equal(pixels[far], bag[far]), "the bag's own counts, bit for bit"
            assert (pixels[mask] <= bag[mask]).all()
            assert np.median(pixels[mask] / bag[mask]) < 0.6


@pytest.mark.parametrize("channels", [1, 2])
def test_a_threat_goes_into_a_scan_of_thirty_thousand_columns(tmp_path: Path, channels: int) -> None:
    counts = np.full((120, 30_000), 60_000, np.uint16)
    counts[10:110, 600:29_400] = 30_000
    for name in ("a.png",) if channels == 1 else ("a_low.png", "a_high.png"):
        write_png(tmp_path / name, counts)
    sources = Sources.open({Role.BENIGN: tmp_path}, Taxonomy())
    loaded = sources.read(sources.located(Role.BENIGN)[0], sources.quantity)
    values = np.full((channels, 40, 60), 0.5, np.float32)
    image = XrayImage(values, Quantity.TRANSMISSION, loaded.sample.image.channels)
    gun = Signature("gun", image, np.ones((40, 60), np.bool_), "gun", Origin(OriginKind.RENDERED, "g", "g"))
    drawn = draw_composite(BagMap.of(loaded.sample.image), "a", [gun], np.random.default_rng(0))
    assert isinstance(drawn, CompositeParams)
    made = apply_composite(loaded.sample.image, drawn, lambda _: gun).image
    written = loaded.reading.counts_of(made, (made.values != loaded.sample.image.values).any(axis=0))
    rows, columns = np.nonzero(written[0] != counts)
    assert 1_000 < len(rows) < 10_000
    assert columns.max() - columns.min() < 120
    assert (written[0][rows, columns] < counts[rows, columns]).all()


@pytest.mark.parametrize(("channels", "methods", "files"), [(2, 4, 3), (1, 3, 1)])
def test_a_gallery_is_left_beside_the_composites(tmp_path: Path, channels: int, methods: int, files: int) -> None:
    whole_way(tmp_path, 60_000, channels, Taxonomy(("gun",)))
    folder = tmp_path / "compose" / "gallery"
    (exhibit,) = read_json(folder / "gallery.json")
    names = [panel["name"] for panel in exhibit["panels"]]
    assert (names[:2], names[-1], len(names)) == (["bag", "energy_space"], "real", methods + 2)
    found = {
        panel["name"]: [read_pixels(folder / panel[key]) for key in ("screen", "low", "high") if panel[key]] for panel in exhibit["panels"]
    }
    assert {len(pictures) for pictures in found.values()} == {files}
    bag, ours = found["bag"][-1], found["energy_space"][-1]
    assert bag.shape == ours.shape
    assert (ours <= bag).all()
    assert np.median(ours[ours < bag] / bag[ours < bag]) < 0.6, "the threat fills a good part of the picture"
    left, top, right, bottom = exhibit["panels"][0]["window"]
    assert (right - left, bottom - top) == bag.shape[::-1]


def decoded(path: Path, image_id: int) -> np.ndarray[Any, Any]:
    found = [one["segmentation"] for one in read_json(path)["annotations"] if one["image_id"] == image_id]
    return np.any([decode_mask(each, *SIZE) for each in found], axis=0)


def grown(mask: np.ndarray[Any, Any], pixels: int) -> np.ndarray[Any, Any]:
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(mask, iterations=pixels))


def bag_file(tmp_path: Path, image: dict[str, Any], name: str) -> str:
    """The file of the bag that a composite was made of."""
    own = image.get("entry_id") or Path(name).stem.removesuffix("_low").removesuffix("_high")
    line = next(json.loads(line) for line in (tmp_path / "compose" / "composites.jsonl").read_text().splitlines() if own in line)
    bag = line["bag_id"].removeprefix("benign:")
    energy = next((end for end in ("_low", "_high") if Path(name).stem.endswith(end)), "")
    return f"{bag}{energy}.png"


def test_composites_of_counts_are_read_back_with_the_white_level_they_were_made_with(tmp_path: Path) -> None:
    whole_way(tmp_path, 3_900, 1, Taxonomy(("gun",)))
    sources = Sources.open({Role.LABELLED: tmp_path / "compose"}, Taxonomy(("gun",)))
    located = sources.located(Role.LABELLED)[0]
    assert sources.channels == GREY
    assert located.entry.white_level is not None
    assert abs(located.entry.white_level - 3_900) < 40
    shown = sources.load(located, Quantity.PSEUDO_COLOUR)
    assert np.median(shown.image.values[0, :5]) > 0.97, "a detector sees air as white, not as 3900 of 65535"


def test_the_kind_is_what_all_scans_have_in_common(tmp_path: Path) -> None:
    grey = write_scans(tmp_path / "grey", 2, threat=False, white=60_000, channels=1)
    pairs = write_scans(tmp_path / "pairs", 2, threat=False, white=60_000, channels=2)
    write_png(tmp_path / "colour" / "a.png", np.zeros((9, 9, 3), np.uint8))
    colour = tmp_path / "colour"
    for folders, expected in (
        ((grey, grey), ("grey",)),
        ((pairs, pairs), DUAL_ENERGY),
        ((grey, pairs), ("red", "green", "blue")),
        ((grey, colour), ("red", "green", "blue")),
    ):
        sources = Sources.open({Role.LABELLED: folders[0], Role.BENIGN: folders[1]}, Taxonomy())
        assert sources.channels == expected
        assert (sources.quantity is Quantity.TRANSMISSION) is (expected != ("red", "green", "blue"))


def test_a_colour_scan_among_grey_ones_and_a_shallow_pair_are_refused_with_the_reason(tmp_path: Path) -> None:
    folder = write_scans(tmp_path / "grey", 130, threat=False, white=250, channels=1)
    write_png(folder / "images" / "scan101.png", np.zeros((*SIZE, 3), np.uint8))
    sources = Sources.open({Role.BENIGN: folder}, Taxonomy())
    odd = next(located for located in sources.located(Role.BENIGN) if located.entry.id == "scan101")
    with pytest.raises(DataError, match=r"scan101.png: expected a grey image of counts, got colours \(or alpha\) of 8 bits"):
        sources.load(odd, Quantity.TRANSMISSION)


def test_an_rgba_pair_says_that_it_holds_no_counts(tmp_path: Path) -> None:
    from PIL import Image

    for energy in ("low", "high"):
        Image.new("RGBA", (31, 37), (90, 90, 90, 255)).save(tmp_path / f"gun_0_{energy}.png")
    sources = Sources.open({Role.BENIGN: tmp_path}, Taxonomy())
    with pytest.raises(DataError, match=r"gun_0_low.png: expected a grey image of counts, got colours \(or alpha\) of 8 bits"):
        sources.load(sources.located(Role.BENIGN)[0], Quantity.TRANSMISSION)


@pytest.mark.parametrize("white_level", [0, -5, 70_000])
def test_a_white_level_that_no_file_can_hold_is_refused(white_level: int) -> None:
    with pytest.raises(ConfigError, match=rf"white_level: expected the count of empty air, in \[1, 65535\], got {white_level}"):
        Taxonomy(("gun",), {}, white_level=white_level)


def test_a_grey_jpeg_is_a_grey_scan(tmp_path: Path) -> None:
    counts, _ = counts_of(0, threat=False, white=250, channels=1)
    write_jpeg(tmp_path / "a.jpg", counts[0])
    sources = Sources.open({Role.BENIGN: tmp_path}, Taxonomy())
    assert sources.load(sources.located(Role.BENIGN)[0], sources.quantity).image.channels == GREY


def test_the_white_level_is_given_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scans = write_scans(tmp_path / "scans", 6, threat=True, white=60_000, channels=1)
    bags = write_scans(tmp_path / "bags", 6, threat=False, white=60_000, channels=1)
    data = ["--labelled", str(scans), "--benign", str(bags), "--white-level", "50000", "--quiet", "--json", "--workers", "1"]
    assert main(["split", *data, "--out", str(tmp_path / "split")]) == 0
    capsys.readouterr()
    assert main(["signatures", *data, "--split", str(tmp_path / "split"), "--out", str(tmp_path / "signatures")]) == 0
    clipped = json.loads(capsys.readouterr().out)["summary"]["clipped"]
    assert clipped["over_white"] / clipped["values"] > 0.3, "all of the air is brighter than the level given"
    assert main(["split", *data, "--out", str(tmp_path / "other"), "--white-level", "70000"]) == 2
