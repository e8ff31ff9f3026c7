"""How real composites look to a probe that was trained to tell them from real scans.

    python benchmarks/realism.py --data ../shared/data [--every 1] [--seeds 3] [--pictures FOLDER]

See ``realism.md`` beside it for what is done and what came out.
"""

from __future__ import annotations

import argparse
import io
import pickle
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from threatray.core import COLOUR, DUAL_ENERGY, Origin, OriginKind, Quantity, Sample, Signature, XrayImage
from threatray.core.annotations import Annotations
from threatray.datasets.formats import read_dataset
from threatray.errors import DataError
from threatray.physics.palette_calibration import LUMA
from threatray.pipeline.palettes import ScannerPalettes, calibrate_palettes
from threatray.tip.bag import air_colour, bag_mask
from threatray.tip.colour import ColourTip, isolate_colour
from threatray.tip.compose import CompositeParams, Insertion
from threatray.tip.isolate import isolate
from threatray.tip.levels import EnergyLaw, StoredScan, compose_levels
from threatray.tip.library import quantised
from threatray.tip.placement import valid_places
from threatray.tip.refusal import Refused
from threatray.tip.vary import VariationParams

Pixels = NDArray[np.uint8]
PATCH, PATCHES = 64, 2
MIN_QUALITY = 0.55


@dataclass
class Scan:
    path: Path
    number: int
    label: str
    box: tuple[float, float, float, float]
    air: NDArray[np.float32]
    family: str
    half: int
    image: XrayImage
    bag: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), bool))
    taken: tuple[Signature, Signature, tuple[int, int]] | None = None
    ring: tuple[float, float] = (0.0, 0.0)

    @property
    def pixels(self) -> Pixels:
        return np.rint(self.image.values.transpose(1, 2, 0) * 255).astype(np.uint8)

    @property
    def attenuation(self) -> NDArray[np.float32]:
        luma = np.tensordot(LUMA, self.image.values / self.air[:, None, None], 1)
        return -np.log(np.clip(luma, 0.02, 1))


@dataclass
class Pair:
    """A threat where it was scanned, and the same threat projected into another bag of the same half and scanner."""

    family: str
    half: int
    number: int
    air: NDArray[np.float32]
    home: Pixels
    home_at: tuple[int, int]
    bag: Pixels
    bag_at: tuple[int, int]
    home_mask: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    channels: NDArray[np.float32]
    energies: NDArray[np.float32]
    made: dict[str, Pixels] = field(default_factory=dict)


def scans(data: Path, every: int) -> Iterator[Scan]:
    dataset = read_dataset(data / "sixray")
    seen = set()
    for entry in dataset.entries[::every]:
        path = entry.image_path
        assert path is not None
        content = path.read_bytes()
        if content in seen:
            continue
        seen.add(content)
        sample = dataset.load_colour(entry)
        try:
            air = air_colour(sample.image)
        except DataError:
            continue
        number = int(re.sub(r"\D", "", sample.group))
        box = tuple(float(edge) for edge in sample.annotations.boxes[0])
        yield Scan(path, number, sample.annotations.labels[0], box, air, "", number // 100 % 2, sample.image)  # type: ignore[arg-type]


def isolated(scan: Scan, palettes: ScannerPalettes) -> None:
    channels = Sample("s", scan.image.as_channel_transmission(scan.air), Annotations(np.array([scan.box], np.float32), ("t",)), "s")
    scan.bag = bag_mask(channels.image)
    seen = isolate(channels, 0)
    if isinstance(seen, Refused) or seen.quality < MIN_QUALITY:
        return
    x0, y0, x1, y1 = (round(edge) for edge in seen.box)
    masks = np.zeros((1, *scan.image.size), np.bool_)
    masks[0, y0:y1, x0:x1] = seen.signature.mask
    tip = ColourTip(palettes.of(scan.air))
    found = isolate_colour(channels, tip.energies(scan.image), 0, tip=tip, scan=scan.image)
    if isinstance(found, Refused):
        return
    ring = dilated(masks[0], 12) & ~masks[0]
    around = scan.attenuation[ring]
    scan.ring = (float(around.mean()), float(around.std()))
    scan.taken = (seen.signature, found.signature, (x0, y0))


def pairs(scanned: list[Scan], rng: np.random.Generator) -> Iterator[Pair]:
    """Each threat at the one of 40 places, in four bags, where the bag, under it and around it, is most like that it was scanned in."""
    for scan in scanned:
        if scan.taken is None:
            continue
        seen, energies, (x0, y0) = scan.taken
        others = [
            other
            for other in scanned
            if (other.family, other.half) == (scan.family, scan.half) and abs(other.number - scan.number) > 25 and other.bag.any()
        ]
        best: tuple[float, Scan, tuple[int, int], int] | None = None
        for other in [others[number] for number in rng.permutation(len(others))[:4]]:
            free = other.bag.copy()
            x1, y1, x2, y2 = (int(edge) for edge in other.box)
            free[max(0, y1 - 6) : y2 + 6, max(0, x1 - 6) : x2 + 6] = False
            attenuation, turn = other.attenuation, int(rng.integers(8))
            mask = turned(seen.mask, turn)
            padded = np.pad(mask, 12)
            ring = dilated(padded, 12) & ~padded
            fits = np.argwhere(valid_places(free, mask, min_inside=0.97))
            for top, left in rng.permutation(fits)[:10].tolist():
                y, x = top - 12, left - 12
                under = attenuation[max(0, y) : y + ring.shape[0], max(0, x) : x + ring.shape[1]]
                around = under[ring[max(0, -y) :, max(0, -x) :][: under.shape[0], : under.shape[1]]]
                inside = attenuation[top : top + mask.shape[0], left : left + mask.shape[1]][mask]
                # The signature still holds what structure lay behind it at home, so a calm place is wanted under it.
                cost = abs(float(around.mean()) - scan.ring[0]) + abs(float(around.std()) - scan.ring[1])
                cost += abs(float(inside.mean()) - scan.ring[0]) + float(inside.std())
                if best is None or cost < best[0]:
                    best = (cost, other, (left, top), turn)
        if best is None:
            continue
        _, other, spot, turn = best
        mask = turned(seen.mask, turn)
        home, home_at = crop(scan.pixels, x0, y0, seen.mask.shape)
        x, y = on_grid(*spot, (x0, y0), seen.mask.shape, turn, other.image.size)
        bag, bag_at = crop(other.pixels, x, y, mask.shape)
        if min(*home.shape[:2], *bag.shape[:2]) < PATCH:
            continue
        yield Pair(
            scan.family, scan.half, scan.number, other.air, home, home_at, bag, bag_at, seen.mask, mask,
            turned(seen.image.values, turn), turned(energies.image.attenuation().values, turn),
        )  # fmt: skip


def on_grid(x: int, y: int, home: tuple[int, int], size: tuple[int, int], turn: int, picture: tuple[int, int]) -> tuple[int, int]:
    """The place at most 8 pixels away where the signature's own 16-pixel JPEG grid falls on the bag's."""
    rows, columns = (np.arange(start, start + length) % 16 for start, length in zip(home[::-1], size, strict=True))
    phases = np.stack(np.broadcast_arrays(rows[:, None], columns[None]))
    moved = turned(phases, turn)
    found = []
    for at, axis, limit in ((x, 2, picture[1]), (y, 1, picture[0])):
        line = np.moveaxis(moved, axis, 1)[:, :, 0]
        steps = line[0] if len(set(line[0][:2])) == 2 else line[1]
        rising = (int(steps[1]) - int(steps[0])) % 16 == 1
        phase = int(steps[0]) if rising else 15 - int(steps[0])
        near = at + (phase - at + 8) % 16 - 8
        found.append(near if 0 <= near <= limit - len(steps) else at)
    return found[0], found[1]


def crop(pixels: Pixels, x: int, y: int, size: tuple[int, int], pad: int = 48) -> tuple[Pixels, tuple[int, int]]:
    """A part of the picture that starts on its 16-pixel JPEG grid."""
    left, top = max(0, (x - pad) // 16 * 16), max(0, (y - pad) // 16 * 16)
    right, bottom = -(-(x + size[1] + pad) // 16) * 16, -(-(y + size[0] + pad) // 16) * 16
    return pixels[top:bottom, left:right].copy(), (x - left, y - top)


def turned(values: NDArray[Any], turn: int) -> NDArray[Any]:
    return np.ascontiguousarray(np.rot90(values[..., ::-1] if turn & 4 else values, turn & 3, axes=(-2, -1)))


def dilated(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    import cv2

    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1, 2 * pixels + 1))) > 0


def energy_space(pair: Pair, window: Pixels, palettes: ScannerPalettes) -> Pixels:
    """As the pipeline does it: a signature with its grain, rounded to what a library holds, turned by ``vary``, composed into levels."""
    tip = ColourTip(palettes.of(pair.air))
    (x, y), (height, width) = pair.home_at, pair.home_mask.shape
    turn = next(turn for turn in range(8) if np.array_equal(turned(pair.home_mask, turn), pair.mask))
    back = np.rot90(pair.energies, -(turn & 3), axes=(1, 2))
    transmission = np.exp(-(back[..., ::-1] if turn & 4 else back))
    image = XrayImage(np.where(pair.home_mask, transmission, 1).astype(np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
    grain = tip.grain(np.ascontiguousarray(pair.home[y : y + height, x : x + width])) * pair.home_mask
    threat = quantised(Signature("t", image, pair.home_mask, "t", Origin(OriginKind.REAL, "t", "t"), grain))
    placed = Insertion("t", VariationParams(flip=bool(turn & 4), angle_deg=90.0 * (turn & 3)), 0, 0)
    bag = StoredScan(window.transpose(2, 0, 1), COLOUR)
    return compose_levels(bag, CompositeParams("bag", (placed,)), lambda _: threat, EnergyLaw(tip)).levels.transpose(1, 2, 0)


def without_grain(pair: Pair, window: Pixels, palettes: ScannerPalettes) -> Pixels:
    return ColourTip(palettes.of(pair.air)).window(window, pair.energies)


def channel_wise(pair: Pair, window: Pixels, palettes: ScannerPalettes) -> Pixels:
    return np.rint(window * pair.channels.transpose(1, 2, 0)).astype(np.uint8)


def mixed(pair: Pair, window: Pixels, alpha: float) -> Pixels:
    threat = pair.channels.transpose(1, 2, 0) * pair.air * 255
    return np.where(pair.mask[..., None], np.rint((1 - alpha) * window + alpha * threat), window).astype(np.uint8)


def alpha_blend(pair: Pair, window: Pixels, palettes: ScannerPalettes) -> Pixels:
    return mixed(pair, window, 0.6)


def opaque_paste(pair: Pair, window: Pixels, palettes: ScannerPalettes) -> Pixels:
    return mixed(pair, window, 1.0)


METHODS: dict[str, Callable[[Pair, Pixels, ScannerPalettes], Pixels]] = {
    "energy space": energy_space,
    "energy space without grain": without_grain,
    "channel-wise": channel_wise,
    "alpha 0.6": alpha_blend,
    "opaque": opaque_paste,
}


def composite(pair: Pair, method: str, palettes: ScannerPalettes) -> Pixels:
    (x, y), (height, width) = pair.bag_at, pair.mask.shape
    made = pair.bag.copy()
    window = np.ascontiguousarray(made[y : y + height, x : x + width])
    made[y : y + height, x : x + width] = METHODS[method](pair, window, palettes)
    return made


class Jpeg:
    """Every picture goes once through the compression that the data came with."""

    def __init__(self, like: Path) -> None:
        from PIL import Image

        with Image.open(like) as image:
            self.tables = image.quantization  # type: ignore[attr-defined]

    def __call__(self, pixels: Pixels) -> Pixels:
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", qtables=self.tables, subsampling=2)
        return np.asarray(Image.open(buffer).convert("RGB"))


def patches(picture: Pixels, mask: NDArray[np.bool_], at: tuple[int, int], rng: np.random.Generator) -> Iterator[Pixels]:
    rows, columns = np.nonzero(mask)
    height, width = picture.shape[:2]
    for _ in range(PATCHES):
        pixel = rng.integers(len(rows))
        top = int(np.clip(rows[pixel] + at[1] + rng.integers(-12, 13) - PATCH // 2, 0, height - PATCH))
        left = int(np.clip(columns[pixel] + at[0] + rng.integers(-12, 13) - PATCH // 2, 0, width - PATCH))
        yield picture[top : top + PATCH, left : left + PATCH]


def probe(made: list[Pair], method: str, seed: int, jpeg: Jpeg, palettes: ScannerPalettes) -> tuple[dict[str, float], list[Any]]:
    """AUC on the second half of the bags of a small CNN trained on the first, over all and by scanner."""
    import torch

    rng = np.random.default_rng(seed)
    rows: list[tuple[Pixels, int, Pair]] = []
    for pair in made:
        for key in ("real", method):
            if key not in pair.made:
                pair.made[key] = jpeg(pair.home if key == "real" else composite(pair, method, palettes))
        rows += [(patch, 0, pair) for patch in patches(pair.made["real"], pair.home_mask, pair.home_at, rng)]
        rows += [(patch, 1, pair) for patch in patches(pair.made[method], pair.mask, pair.bag_at, rng)]
    net = train([row for row in rows if row[2].half == 0], seed)
    tested = [row for row in rows if row[2].half == 1]
    with torch.no_grad():
        batch = as_tensor([row[0] for row in tested])
        scores = torch.cat([net(batch[start : start + 256].float() / 255 - 0.6)[:, 0] for start in range(0, len(batch), 256)]).numpy()
    truth = np.array([row[1] for row in tested])
    families = np.array([row[2].family for row in tested])
    result = {"all": auc(scores, truth)} | {name: auc(scores[families == name], truth[families == name]) for name in sorted(set(families))}
    return result, [(float(score), row) for score, row in zip(scores, tested, strict=True)]


def as_tensor(pictures: list[Pixels]) -> Any:
    import torch

    return torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).copy())


def train(rows: list[tuple[Pixels, int, Pair]], seed: int, epochs: int = 6, size: int = 64) -> Any:
    import torch
    from torch import nn

    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs, kernel, stride, pool in ((3, 20, 5, 2, 1), (20, 32, 3, 1, 2), (32, 48, 3, 1, 2), (48, 64, 3, 1, 1)):
        layers += [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(pool)]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 1))
    inputs, truth = as_tensor([row[0] for row in rows]), torch.tensor([float(row[1]) for row in rows])
    steps = len(rows) // size
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=epochs * steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        order = torch.randperm(len(rows), generator=generator)
        for step in range(steps):
            chosen = order[step * size : (step + 1) * size]
            batch, turn = inputs[chosen].float() / 255 - 0.6, int(torch.randint(8, (1,), generator=generator))
            batch = torch.rot90(batch.flip(3) if turn & 4 else batch, turn & 3, (2, 3))
            loss = nn.functional.binary_cross_entropy_with_logits(net(batch)[:, 0], truth[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return net.eval()


def auc(scores: NDArray[Any], truth: NDArray[Any]) -> float:
    from scipy.stats import rankdata

    ranks, positive = rankdata(scores), int(truth.sum())
    return float((ranks[truth == 1].sum() - positive * (positive + 1) / 2) / (positive * (len(truth) - positive)))


def show(pictured: list[tuple[str, list[Any]]], folder: Path) -> None:
    """The patches that the probe was surest of: composites, then real ones."""
    from threatray.core.image_file import write_png

    for method, scored in pictured:
        for truth, name in ((1, "composites"), (0, "real")):
            sure = sorted((row for row in scored if row[1][1] == truth), key=lambda row: -row[0] if truth else row[0])[:48]
            tiles = [row[1][0] for row in sure]
            rows = [np.hstack(tiles[start : start + 12]) for start in range(0, len(tiles) // 12 * 12, 12)]
            write_png(folder / f"{method.replace(' ', '_')}_{name}.png", np.vstack(rows))


def opened(data: Path, every: int) -> tuple[list[Scan], ScannerPalettes]:
    """The scans, and the palettes of the first half's."""
    found = list(scans(data, every))
    palettes = calibrate_palettes([scan for scan in found if scan.half == 0], lambda scan: scan.image)
    known: list[Scan] = []
    for scan in found:
        try:
            known.append(replace(scan, family=palettes.of(scan.air).name))
        except DataError:  # a photograph of a screen, of a tint of its own
            continue
    print(f"{len(found)} scans, {len(known)} of the palettes {[each.name for each in palettes.palettes]} from the first half", flush=True)
    return known, palettes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--every", type=int, default=1, help="use every so many-th scan")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--cache", type=Path, help="keep the isolated threats here between runs")
    options = parser.parse_args()
    start = time.process_time()
    found, palettes = opened(options.data, options.every)
    if options.cache and options.cache.is_file():
        made = pickle.loads(options.cache.read_bytes())
    else:
        for scan in found:
            isolated(scan, palettes)
        made = list(pairs(found, np.random.default_rng(0)))
        if options.cache:
            options.cache.write_bytes(pickle.dumps(made))
    print(f"{len(made)} threats in place and projected: {dict(Counter((pair.family, pair.half) for pair in made))}", flush=True)
    jpeg = Jpeg(found[0].path)
    pictured = []
    for method in options.methods:
        results = [probe(made, method, seed, jpeg, palettes) for seed in range(options.seeds)]
        for part in results[0][0]:
            values = [result[part] for result, _ in results]
            print(f"probe, {method}, {part}: AUC {np.mean(values):.3f} ({min(values):.3f}-{max(values):.3f})", flush=True)
        pictured.append((method, results[-1][1]))
    if options.pictures:
        show(pictured, options.pictures)
    print(f"{time.process_time() - start:.0f} s of processor time")


if __name__ == "__main__":
    main()
