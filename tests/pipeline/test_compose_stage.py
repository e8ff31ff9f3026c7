"""A plan carried out: what is written, in which depth and compression, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from threatray.balance.plan import CompositePlan, PlannedComposite, PlannedThreat
from threatray.balance.quota import Strategy
from threatray.core import COLOUR, DUAL_ENERGY, Annotations, Origin, OriginKind, Quantity, Signature, XrayImage
from threatray.core.files import write_json
from threatray.core.image_file import read_pixels, write_jpeg, write_png, write_tiff
from threatray.core.jpeg import JpegEncoding, jpeg_encoding, read_plain_jpeg
from threatray.core.manifest import RunManifest, SetAside
from threatray.datasets.formats import read_dataset, registry
from threatray.datasets.formats.format import DatasetStream, Format, ReadOptions
from threatray.datasets.masks import decode_mask
from threatray.errors import ConfigError, DataError
from threatray.pipeline.progress import Progress
from threatray.pipeline.sources import Role, Taxonomy
from threatray.pipeline.stage import Run
from threatray.pipeline.stages.compose_stage import OutputConfig, by_bag, compose
from threatray.pipeline.stored_bag import ImageKind
from threatray.tip.compose import CompositeParams
from threatray.tip.draw import ComposeConfig, Scaling
from threatray.tip.levels import StoredScan, compose_levels
from threatray.tip.library import SignatureLibrary, write_index, write_signature
from threatray.tip.vary import Variation

HEIGHT, WIDTH = 90, 120


def bag_pixels(seed: int, dtype: type, planes: int) -> np.ndarray:
    """Air around a bag of random levels."""
    top = 60000 if dtype is np.uint16 else 255
    pixels = np.full((HEIGHT, WIDTH, planes), top, dtype)
    inside = np.random.default_rng(seed).integers(int(0.4 * top), int(0.7 * top), (70, 100, planes))
    pixels[10:80, 10:110] = inside
    return pixels


def colour_bags(folder: Path, count: int, quality: int = 83, subsampling: int = 1) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        Image.fromarray(bag_pixels(number, np.uint8, 3)).save(folder / f"b{number}.jpg", quality=quality, subsampling=subsampling)
    return folder


def dual_bags(folder: Path, count: int, tiff: bool = False) -> Path:
    images = []
    for number in range(count):
        pixels = bag_pixels(number, np.uint16, 2)
        suffix = "tif" if tiff else "png"
        for which, plane in zip(("low", "high"), pixels.transpose(2, 0, 1), strict=True):
            (write_tiff if tiff else write_png)(folder / "images" / f"b{number}_{which}.{suffix}", np.ascontiguousarray(plane))
        images.append({
            "id": number, "entry_id": f"b{number}", "file_name": f"b{number}_high.{suffix}", "low_file_name": f"b{number}_low.{suffix}",
            "high_file_name": f"b{number}_high.{suffix}", "white_level": 60000, "width": WIDTH, "height": HEIGHT, "group": f"g{number}",
        })  # fmt: skip
    write_json(folder / "annotations.json", {"images": images, "annotations": [], "categories": [{"id": 1, "name": "gun"}]})
    return folder


def library(folder: Path, channels: tuple[str, ...], transmission: float = 0.5) -> Path:
    values = np.full((len(channels), 6, 20), transmission, np.float32)
    values[0] = transmission**2
    image = XrayImage(values, Quantity.TRANSMISSION, channels)
    origin = Origin(OriginKind.RENDERED, "bar", "bar")
    write_index(folder, [write_signature(folder, Signature("bar", image, np.ones((6, 20), bool), "gun", origin))])
    return folder


def planned(folder: Path, bag_ids: list[str], threats: int = 1, length: float | None = None) -> Path:
    composites = tuple(
        PlannedComposite(f"composite-{number:06d}", bag, (PlannedThreat("gun", "bar", length),) * threats)
        for number, bag in enumerate(bag_ids)
    )
    made = CompositePlan(Strategy.PRESERVE, 0, {"gun": 0}, {"gun": threats * len(bag_ids)}, (), composites)
    write_json(folder / "plan.json", made.as_json())
    return folder


def carried_out(tmp_path: Path, bags: Path, plan: Path, chosen: Path, output: OutputConfig | None = None, **options) -> RunManifest:
    places = tmp_path / "signatures"
    write_json(places / "places.json", [])
    run = Run(seed=options.pop("seed", 3), progress=Progress(quiet=True), workers=options.pop("workers", 1))
    config = ComposeConfig(variation=Variation(density_power_range=(1.0, 1.0)), **options)
    out = tmp_path / "out"
    return compose(config, Taxonomy(("gun",)), {Role.BENIGN: bags}, plan, places, chosen, out, run, output or OutputConfig())


def test_a_jpeg_stays_a_jpeg_of_the_same_quality_and_subsampling(tmp_path: Path) -> None:
    bags = colour_bags(tmp_path / "bags", 2, quality=83, subsampling=1)
    made = carried_out(tmp_path, bags, planned(tmp_path / "plan", ["benign:b0", "benign:b1"]), library(tmp_path / "library", COLOUR))
    assert made.summary["composites"] == 2
    with Image.open(bags / "b0.jpg") as source, Image.open(tmp_path / "out/images/composite-000000.jpg") as written:
        assert written.quantization == source.quantization
        assert JpegImagePlugin.get_sampling(written) == JpegImagePlugin.get_sampling(source) == 1


def test_outside_the_threat_a_picture_without_loss_is_the_bags_bit_for_bit(tmp_path: Path) -> None:
    bags = colour_bags(tmp_path / "bags", 1)
    plan = planned(tmp_path / "plan", ["benign:b0"])
    carried_out(tmp_path, bags, plan, library(tmp_path / "library", COLOUR), OutputConfig(images=ImageKind.PNG))
    written, source = read_pixels(tmp_path / "out/images/composite-000000.png"), read_pixels(bags / "b0.jpg")
    annotation = json.loads((tmp_path / "out/annotations.json").read_text())["annotations"][0]
    mask = decode_mask(annotation["segmentation"], HEIGHT, WIDTH)
    rim = np.pad(mask, 2)[2:-2, 2:-2]
    for shift in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)):
        rim = rim | np.roll(mask, shift, (0, 1))
    assert (written[~rim] == source[~rim]).all()
    assert (written[mask] < source[mask]).any(axis=1).all()
    assert annotation["visible_segmentation"]["size"] == [HEIGHT, WIDTH]


@pytest.mark.parametrize("tiff", [False, True])
@pytest.mark.parametrize("images", list(ImageKind))
def test_sixteen_bits_stay_sixteen_bits_whatever_is_asked(tmp_path: Path, tiff: bool, images: ImageKind) -> None:
    bags = dual_bags(tmp_path / "bags", 1, tiff)
    plan, chosen = planned(tmp_path / "plan", ["benign:b0"]), library(tmp_path / "library", DUAL_ENERGY)
    still = Variation(angle_range_deg=(0, 0), flip_probability=0, density_power_range=(1, 1))
    write_json(tmp_path / "signatures" / "places.json", [])
    compose(
        ComposeConfig(variation=still, photon_noise=False), Taxonomy(("gun",)), {Role.BENIGN: bags}, plan, tmp_path / "signatures",
        chosen, tmp_path / "out",
        Run(seed=3, progress=Progress(quiet=True), workers=1), OutputConfig(images=images),
    )  # fmt: skip
    image = json.loads((tmp_path / "out/annotations.json").read_text())["images"][0]
    assert image["white_level"] == 60000
    params = json.loads((tmp_path / "out/composites.jsonl").read_text())["insertions"][0]
    signature = np.rint(np.array([0.25, 0.5]) * 65535) / 65535
    for channel, which in enumerate(("low", "high")):
        source = read_pixels(bags / f"images/b0_{which}.{'tif' if tiff else 'png'}")
        written = read_pixels(tmp_path / "out/images" / image[f"{which}_file_name"])
        assert written.dtype == np.uint16
        expected = source.astype(np.float64)
        expected[params["y"] : params["y"] + 6, params["x"] : params["x"] + 20] *= np.float32(signature[channel])
        assert np.abs(written - expected).max() <= 0.5 + 1e-9, "half a level of sixteen bits, on every pixel of each energy"
        assert len(np.unique(written)) > 5000, "no step of eight bits"


def test_counts_get_photon_noise_that_the_record_replays_and_that_can_be_turned_off(tmp_path: Path) -> None:
    bags = dual_bags(tmp_path / "bags", 1)
    counted = np.full((2, HEIGHT, WIDTH), 60000, np.uint16)
    counted[:, 10:80, 10:110] = 4 * np.random.default_rng(0).poisson(9_000, (2, 70, 100))
    for which, plane in zip(("low", "high"), counted, strict=True):
        write_png(bags / f"images/b0_{which}.png", plane)
    plan, chosen = planned(tmp_path / "plan", ["benign:b0"]), library(tmp_path / "library", DUAL_ENERGY)
    noisy = carried_out(tmp_path / "noisy", bags, plan, chosen)
    carried_out(tmp_path / "quiet", bags, plan, chosen, photon_noise=False)
    lines = [(tmp_path / name / "out/composites.jsonl").read_text() for name in ("noisy", "quiet")]
    params, plain = (CompositeParams.from_json(json.loads(line)) for line in lines)
    assert noisy.summary["composites"] == 1
    assert params.levels_per_photon == pytest.approx((4, 4), rel=0.25)
    assert plain == replace(params, levels_per_photon=())
    signatures = SignatureLibrary.open(chosen)
    for name, drawn in (("noisy", params), ("quiet", plain)):
        again = compose_levels(StoredScan(counted, DUAL_ENERGY), drawn, signatures.load).levels
        written = [read_pixels(tmp_path / name / f"out/images/composite-000000_{which}.png") for which in ("low", "high")]
        assert np.array_equal(np.stack(written), again)
    assert not np.array_equal(written, compose_levels(StoredScan(counted, DUAL_ENERGY), params, signatures.load).levels)


def test_the_same_seed_gives_the_same_bytes_with_one_process_and_two(tmp_path: Path) -> None:
    bags = colour_bags(tmp_path / "bags", 3)
    ids = ["benign:b0", "benign:b1", "benign:b2", "benign:b1", "benign:b0"]
    plan, chosen = planned(tmp_path / "plan", ids, threats=2), library(tmp_path / "library", COLOUR)
    outputs = []
    for workers in (1, 2):
        (tmp_path / str(workers)).mkdir()
        made = carried_out(tmp_path / str(workers), bags, plan, chosen, workers=workers)
        outputs.append(made.outputs)
    assert outputs[0] == outputs[1]
    assert len([name for name in outputs[0] if not name.startswith("gallery/")]) == 5 + 3


def test_refusals_are_counted_by_kind(tmp_path: Path) -> None:
    bags = colour_bags(tmp_path / "bags", 2)
    Image.new("RGB", (WIDTH, HEIGHT), (255, 255, 255)).save(bags / "empty.jpg")
    Image.new("RGB", (WIDTH, HEIGHT), (30, 30, 30)).save(bags / "dark.jpg")
    plan = planned(tmp_path / "plan", ["benign:b0", "benign:empty", "benign:dark", "benign:empty"])
    made = carried_out(tmp_path, bags, plan, library(tmp_path / "library", COLOUR))
    assert made.summary["composites"] == 1
    assert made.summary["refused_by_kind"] == {"bag cannot be read": 1, "no bag in the picture": 2}
    kinds = [entry["kind"] for entry in json.loads((tmp_path / "out/refused.json").read_text())]
    assert sorted(kinds) == ["bag cannot be read", "no bag in the picture", "no bag in the picture"]


def test_a_threat_larger_than_every_bag_is_an_error_that_says_so(tmp_path: Path) -> None:
    bags = colour_bags(tmp_path / "bags", 1)
    plan = planned(tmp_path / "plan", ["benign:b0"], length=1.4)
    with pytest.raises(DataError, match=r"all 1 composites were refused, e\.g\. composite-000000: larger than the bag"):
        carried_out(tmp_path, bags, plan, library(tmp_path / "library", COLOUR))


def test_layers_are_the_bag_byte_for_byte_and_each_threat_with_sixteen_bits(tmp_path: Path) -> None:
    bags = dual_bags(tmp_path / "bags", 1)
    plan = planned(tmp_path / "plan", ["benign:b0"], threats=2)
    carried_out(tmp_path, bags, plan, library(tmp_path / "library", DUAL_ENERGY), OutputConfig(layers=True))
    layers, images = tmp_path / "out/layers", tmp_path / "out/images"
    for which, energy in (("low", "low_energy"), ("high", "high_energy")):
        bag = layers / f"composite-000000_bag_{which}.png"
        assert bag.read_bytes() == (bags / f"images/b0_{which}.png").read_bytes()
        product = read_pixels(bag).astype(np.float64)
        for number in (0, 1):
            alone = read_pixels(layers / f"composite-000000_threat{number}_{energy}.png")
            assert alone.dtype == np.uint16
            product *= alone / 65535
        composite = read_pixels(images / f"composite-000000_{which}.png")
        assert np.abs(composite - product).max() <= 1.5, "the layers multiply to the composite"


def test_layers_of_a_colour_bag_have_three_channels(tmp_path: Path) -> None:
    bags = colour_bags(tmp_path / "bags", 1)
    chosen = library(tmp_path / "library", COLOUR)
    carried_out(tmp_path, bags, planned(tmp_path / "plan", ["benign:b0"]), chosen, OutputConfig(layers=True))
    from threatray.core.image_file import read_pixels as read

    assert (tmp_path / "out/layers/composite-000000_bag.jpg").read_bytes() == (bags / "b0.jpg").read_bytes()
    import cv2

    alone = cv2.imread(str(tmp_path / "out/layers/composite-000000_threat0.png"), cv2.IMREAD_UNCHANGED)
    assert (alone.dtype, alone.shape) == (np.uint16, (HEIGHT, WIDTH, 3))
    assert alone.min() == pytest.approx(0.25 * 65535, abs=2)
    assert read(tmp_path / "out/images/composite-000000.jpg").shape == (HEIGHT, WIDTH, 3)


def test_further_formats_are_written_through_what_every_format_offers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []

    def write(folder: Path, classes, entries) -> list[SetAside]:
        entries = list(entries)
        seen.append((folder.name, len(entries)))
        assert entries[0].things.labels == ("gun",)
        (folder / "made.txt").write_text(" ".join(classes))
        return [SetAside(entries[0].id, "too wide")]

    def read(path: Path, options: ReadOptions) -> DatasetStream:
        raise AssertionError

    made_up = Format("made_up", "Made up", "none", frozenset(), lambda path: False, read, write)
    monkeypatch.setattr(registry, "FORMATS", (*registry.FORMATS, made_up))
    bags = colour_bags(tmp_path / "bags", 1)
    plan, chosen = planned(tmp_path / "plan", ["benign:b0"]), library(tmp_path / "library", COLOUR)
    made = carried_out(tmp_path, bags, plan, chosen, OutputConfig(formats=("made_up",)))
    assert seen == [("made_up", 1)]
    assert (tmp_path / "out/formats/made_up/made.txt").read_text() == "gun"
    assert made.set_aside == (SetAside("made_up: composite-000000", "too wide"),)


def test_a_format_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    bags = colour_bags(tmp_path / "bags", 1)
    plan, chosen = planned(tmp_path / "plan", ["benign:b0"]), library(tmp_path / "library", COLOUR)
    with pytest.raises(ConfigError, match="cannot write 'paper'"):
        carried_out(tmp_path, bags, plan, chosen, OutputConfig(formats=("paper",)))
    with pytest.raises(ConfigError, match="without coco, which is always written"):
        OutputConfig(formats=("coco",))
    with pytest.raises(ConfigError, match="jpeg_quality must lie in"):
        OutputConfig(jpeg_quality=0)


def test_what_is_written_is_a_dataset_that_reads_back(tmp_path: Path) -> None:
    bags = colour_bags(tmp_path / "bags", 2)
    plan = planned(tmp_path / "plan", ["benign:b0", "benign:b1", "benign:b0"], threats=2)
    carried_out(tmp_path, bags, plan, library(tmp_path / "library", COLOUR), scaling=Scaling.OWN)
    dataset = read_dataset(tmp_path / "out")
    assert [entry.group for entry in dataset.entries] == ["benign:b0", "benign:b1", "benign:b0"]
    things: Annotations = dataset.load_colour(dataset.entries[0]).annotations
    assert things.labels == ("gun", "gun")
    assert things.masks is not None


def test_the_composites_of_a_bag_are_made_together() -> None:
    ids = ["a", "b", "a", "c", "a"]
    composites = [PlannedComposite(str(number), bag, ()) for number, bag in enumerate(ids)]
    assert [[each.id for each in group] for group in by_bag(composites)] == [["0", "2", "4"], ["1"], ["3"]]
    assert max(len(group) for group in by_bag([PlannedComposite(str(n), "a", ()) for n in range(100)])) == 32


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("own_tables", [False, True])
def test_a_jpeg_like_another_has_its_tables_its_subsampling_and_no_more_loss(tmp_path: Path, subsampling: int, own_tables: bool) -> None:
    pixels = bag_pixels(0, np.uint8, 3)
    how: dict[str, object] = {"qtables": [[3 + n % 7 for n in range(64)], [5] * 64]} if own_tables else {"quality": 71}
    Image.fromarray(pixels).save(tmp_path / "a.jpg", subsampling=subsampling, **how)  # type: ignore[arg-type]
    encoding = jpeg_encoding(tmp_path / "a.jpg")
    assert encoding is not None
    assert encoding.standard_quality == (None if own_tables else 71)
    write_jpeg(tmp_path / "b.jpg", pixels, like=encoding)
    assert jpeg_encoding(tmp_path / "b.jpg") == encoding
    assert np.abs(read_pixels(tmp_path / "a.jpg").astype(int) - read_pixels(tmp_path / "b.jpg")).max() <= 1


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_plain_jpeg_is_read_as_by_the_other_reader(tmp_path: Path, subsampling: int) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(bag_pixels(0, np.uint8, 3)).save(path, quality=80, subsampling=subsampling)
    plain = read_plain_jpeg(path)
    assert plain is not None
    assert (plain[0] == read_pixels(path)).all()
    assert plain[1] == jpeg_encoding(path)


def test_what_is_no_plain_jpeg_is_left_to_the_other_reader(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(bag_pixels(0, np.uint8, 3)).save(path)
    content = path.read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(bag_pixels(0, np.uint8, 3)).save(tmp_path / "turned.jpg", exif=exif)
    Image.new("CMYK", (8, 8)).save(tmp_path / "cmyk.jpg")
    Image.new("RGB", (8, 8)).save(tmp_path / "png.jpg", format="PNG")
    for name in ("cut", "turned", "cmyk", "png", "absent"):
        assert read_plain_jpeg(tmp_path / f"{name}.jpg") is None, name


def test_grey_jpegs_keep_their_table_and_cmyk_is_not_written_again(tmp_path: Path) -> None:
    grey = np.ascontiguousarray(bag_pixels(0, np.uint8, 3)[..., 0])
    Image.fromarray(grey).save(tmp_path / "g.jpg", quality=60)
    write_jpeg(tmp_path / "h.jpg", grey, like=jpeg_encoding(tmp_path / "g.jpg"))
    assert (tmp_path / "g.jpg").read_bytes() == (tmp_path / "h.jpg").read_bytes()
    Image.new("CMYK", (8, 8)).save(tmp_path / "c.jpg")
    assert jpeg_encoding(tmp_path / "c.jpg") is None


def test_sixteen_bits_do_not_go_into_a_jpeg(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a JPEG holds 8 bits, got uint16"):
        write_jpeg(tmp_path / "d.jpg", np.zeros((8, 8), np.uint16))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="one to four quantisation tables"):
        JpegEncoding(((1,) * 63,))
