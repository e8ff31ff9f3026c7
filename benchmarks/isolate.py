"""How well threats come out of scans: masks from boxes, signatures put back, bags inpainted, speed.

``python benchmarks/isolate.py PART ... [--data ../shared/data] [--count N] [--seed S] [--pictures FOLDER]``, with the parts:

    masks       guessed against drawn masks on real colour scans (``sixray_masks``)
    phantom     guessed against true masks on the phantom's scans, in colour and as 16-bit pairs
    planted     guessed against true masks of phantom threats projected into real benign colour bags (``sixray/negatives``)
    fit         fit ``tip/mask_quality.py``'s regression on phantom and planted threats (seed 5 made the published one)
    put_back    a real threat taken out and its own signature put back at the same place: PSNR inside its box
    hide        regions of real benign bags hidden and made up again: PSNR of every way to fill
    speed       signatures a second and a core on real scans (``sixray``), and where the time goes
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from threatray.core import COLOUR, Annotations, Quantity, Sample, XrayImage, box_of_mask, stream
from threatray.core.image_file import read_pixels, write_png
from threatray.phantom.dataset import JobKind, PhantomConfig, plan, render_photo, render_scan
from threatray.physics.pseudo_colour import DEFAULT_PALETTE
from threatray.pipeline.views import TransmissionView
from threatray.tip.background import harmonic_fill
from threatray.tip.bag import bag_mask
from threatray.tip.compose import project
from threatray.tip.continuation import continued_fill
from threatray.tip.isolate import IsolateConfig, Isolated, isolate
from threatray.tip.placement import bag_length_px
from threatray.tip.refusal import Refused
from threatray.tip.remove import Fill, remove_threats
from threatray.tip.vary import VariationParams, scale_to_length, vary

GUESS_ALONE = IsolateConfig(soft_edge=0)
"""Masks are compared as guessed; a signature's mask is a pixel wider, to hold the scan's blur."""


@dataclass(frozen=True)
class Case:
    """A scan with one threat whose mask is known."""

    name: str
    class_name: str
    scan: XrayImage
    mask: np.ndarray

    def sample(self, *, with_mask: bool = False, looseness: float = 0.0) -> Sample:
        """The scan with the threat's box, grown by a share of its sides."""
        x0, y0, x1, y1 = box_of_mask(self.mask)
        wide, tall = looseness * (x1 - x0), looseness * (y1 - y0)
        box = np.array(
            [[max(0, x0 - wide), max(0, y0 - tall), min(self.scan.width, x1 + wide), min(self.scan.height, y1 + tall)]], np.float32
        )
        annotations = Annotations(box, (self.class_name,), self.mask[None] if with_mask else None)
        return Sample(self.name, self.scan, annotations, self.name)


def colour_of(pixels: np.ndarray) -> XrayImage:
    values = np.ascontiguousarray(pixels.transpose(2, 0, 1).astype(np.float32) / 255)
    return XrayImage(values, Quantity.PSEUDO_COLOUR, COLOUR)


def view_of(image: XrayImage, name: str = "scan") -> XrayImage:
    return TransmissionView.of(Sample(name, image, Annotations.none(), name)).sample.image


def drawn_masks(data: Path) -> Iterator[Case]:
    """Every connected drawn mask of at least 400 pixels."""
    for path in sorted((data / "sixray_masks/masks").glob("*.png")):
        drawn = read_pixels(path)
        scan = view_of(colour_of(read_pixels(data / "sixray_masks/images" / f"{path.stem}.jpg")))
        for class_id, class_name in ((1, "gun"), (2, "knife")):
            count, labels, stats, _ = cv2.connectedComponentsWithStats((drawn == class_id).astype(np.uint8))
            for number in range(1, count):
                if stats[number, cv2.CC_STAT_AREA] >= 400:
                    yield Case(f"{path.stem}-{class_name}-{number}", class_name, scan, labels == number)


def phantom_cases(per_class: int, seed: int, *, colour: bool) -> Iterator[Case]:
    classes = dict.fromkeys(PhantomConfig().labelled, 0)
    config = PhantomConfig(image_height=480, image_width=640, pitch_cm=0.085, labelled=classes, test_threat_per_class=per_class)
    for job in plan(config, seed):
        if job.kind is not JobKind.TEST or job.class_name is None:
            continue
        made = render_scan(job, config)
        # colour as a file would hold it
        shown = np.round(made.colour.values * 255).astype(np.uint8).transpose(1, 2, 0)
        image = view_of(colour_of(shown)) if colour else made.sample.image
        yield Case(job.id, job.class_name, image, made.sample.annotations.masks[0])


def planted_cases(data: Path, per_class: int, seed: int) -> Iterator[Case]:
    """Phantom threats, coloured by the default palette, projected channel by channel into real bags, JPEG at quality 90."""
    from threatray.core import Signature

    config = PhantomConfig(labelled=dict.fromkeys(PhantomConfig().labelled, 0), photos_per_class=per_class, photo_size=280)
    jobs = [job for job in plan(config, seed) if job.kind is JobKind.PHOTO]
    bags = sorted((data / "sixray/negatives").glob("*"))
    order = stream(seed, "bags").permutation(len(bags))
    for number, job in enumerate(jobs):
        rng = stream(seed, "planted", job.id)
        truth = render_photo(job, config).truth
        shown = DEFAULT_PALETTE.render(truth.image)
        values = np.where(truth.mask, np.clip(shown.values, 2**-17, 1), 1).astype(np.float32)
        thing = Signature(job.id, XrayImage(values, Quantity.TRANSMISSION, COLOUR), truth.mask, job.class_name, truth.origin)
        path = bags[int(order[number % len(bags)])]
        try:
            view = TransmissionView.of(Sample(path.stem, colour_of(read_pixels(path)), Annotations.none(), path.stem))
        except Exception:  # no air to be found
            continue
        bag = bag_mask(view.sample.image)
        wanted = float(rng.uniform(0.15, 0.4)) * bag_length_px(bag)
        thing = vary(thing, VariationParams(angle_deg=float(rng.uniform(0, 360)), scale=scale_to_length(thing, wanted)))
        height, width = thing.image.size
        places = []
        for _ in range(200):
            x, y = (
                int(rng.integers(1, max(2, full - part)))
                for full, part in ((view.sample.image.width, width), (view.sample.image.height, height))
            )
            under = bag[y : y + height, x : x + width]
            if under.shape == thing.mask.shape and under[thing.mask].all():
                places.append((x, y))
                break
        if not places:
            continue
        x, y = places[0]
        made = project(view.sample.image, thing, x, y)
        changed = np.zeros(bag.shape, bool)
        changed[y : y + height, x : x + width] = thing.mask
        picture = np.round(view.colour_of(made, changed).values * 255).astype(np.uint8).transpose(1, 2, 0)
        _, encoded = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 90])
        again = cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1]
        yield Case(f"{job.id}@{path.stem}", job.class_name, view_of(colour_of(again)), changed)


def fit(data: Path, per_class: int, seed: int) -> dict:
    """Ridge regression from the cues of both guesses to the overlap with the true mask; prints the table for the source."""
    from dataclasses import astuple, fields

    from threatray.tip import mask_quality, segment

    seen: list = []
    original = segment.mask_cues

    def spy(mask, inside, attenuation):
        cues = original(mask, inside, attenuation)
        seen.append((mask, cues))
        return cues

    segment.mask_cues = spy
    rows, targets, groups = [], [], []
    sources = (
        phantom_cases(per_class, seed, colour=True),
        phantom_cases(per_class, seed, colour=False),
        planted_cases(data, per_class + per_class // 2, seed),
    )
    for case in (case for source in sources for case in source):
        seen.clear()
        crop, inside, mask = crop_of(case)
        segment.threat_mask(crop, inside)
        for found, cues in seen:
            if cues is not None:
                small = cv2.resize(mask.astype(np.float32), found.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5
                rows.append(astuple(cues))
                targets.append(overlap(found, small))
                groups.append(case.name.split("@")[0].removeprefix("photo-").removeprefix("test-"))
    segment.mask_cues = original
    cues, target = np.array(rows), np.array(targets)
    lows, highs = np.percentile(cues, [2, 98], axis=0)
    middle, spread = cues.mean(axis=0), cues.std(axis=0)

    def solve(chosen: np.ndarray) -> tuple[np.ndarray, float]:
        scaled = (np.clip(cues[chosen], lows, highs) - middle) / spread
        design = np.hstack([np.ones((len(scaled), 1)), scaled])
        ridge = 10 * np.eye(design.shape[1])
        ridge[0, 0] = 0
        answer = np.linalg.solve(design.T @ design + ridge, design.T @ target[chosen])
        weights = answer[1:] / spread
        return weights, float(answer[0] - weights @ middle)

    parts = np.array([sorted(set(groups)).index(name) % 8 for name in groups])
    predicted = np.zeros(len(target))
    for part in range(8):
        weights, bias = solve(parts != part)
        predicted[parts == part] = np.clip(cues[parts == part], lows, highs) @ weights + bias
    weights, bias = solve(np.ones(len(target), bool))
    print(f"_BIAS: Final = {bias:.4f}\n_FIT: Final = (")
    for name, low, high, weight in zip(fields(mask_quality.MaskCues), lows, highs, weights, strict=True):
        print(f"    ({low:.4g}, {high:.4g}, {weight:.4g}),  # {name.name}")
    print(")")
    correlation = float(np.corrcoef(predicted, target)[0, 1])
    return {
        "n": len(target),
        "cross_validated_correlation": round(correlation, 3),
        "rank": round(rank_correlation(list(predicted), list(target)), 3),
    }


def crop_of(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Attenuation, box and true mask around a case's box, as ``isolate`` cuts them."""
    x0, y0, x1, y1 = (int(edge) for edge in box_of_mask(case.mask))
    ring = max(8, round(0.25 * max(x1 - x0, y1 - y0)))
    rows, columns = slice(max(0, y0 - ring), y1 + ring), slice(max(0, x0 - ring), x1 + ring)
    attenuation = np.minimum(case.scan.attenuation().values[:, rows, columns], np.float32(np.log(255)))
    inside = np.zeros(attenuation.shape[1:], bool)
    inside[y0 - rows.start : y1 - rows.start, x0 - columns.start : x1 - columns.start] = True
    return attenuation, inside, case.mask[rows, columns]


def overlap(found: np.ndarray, true: np.ndarray) -> float:
    return float((found & true).sum() / max(1, (found | true).sum()))


def placed_mask(found: object, size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size, bool)
    if isinstance(found, Isolated):
        x0, y0, x1, y1 = (int(edge) for edge in found.box)
        mask[y0:y1, x0:x1] = found.signature.mask
    return mask


def rank_correlation(first: list[float], second: list[float]) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)


def measure_masks(cases: Iterator[Case], pictures: Path | None, label: str, *, looseness: float = 0.0) -> dict:
    rows, tiles = [], []
    for case in cases:
        found = isolate(case.sample(looseness=looseness), 0, GUESS_ALONE)
        mask = placed_mask(found, case.scan.size)
        score = overlap(mask, case.mask)
        rows.append((case.name, case.class_name, score, found.quality if isinstance(found, Isolated) else None))
        if pictures:
            tiles.append((score, tile_of(case, mask, f"{case.name} {score:.2f} q{rows[-1][3] or 0:.2f}")))
    classes = sorted({row[1] for row in rows})
    result = {"n": len(rows), "mean_iou": mean(row[2] for row in rows), "by_class": {}, "refused": sum(row[3] is None for row in rows)}
    for name in classes:
        scores = [row[2] for row in rows if row[1] == name]
        result["by_class"][name] = {"n": len(scores), "mean_iou": mean(scores), "worst": round(min(scores), 3)}
    judged = [row for row in rows if row[3] is not None]
    if len(judged) > 3:
        result["quality_rank_correlation"] = round(rank_correlation([row[2] for row in judged], [row[3] for row in judged]), 3)
    for row in rows:
        print(f"  {label} {row[0]:40s} IoU {row[2]:.3f} quality {'-' if row[3] is None else f'{row[3]:.3f}'}")
    if pictures:
        tiles.sort(key=lambda each: each[0])
        write_sheet(pictures / f"{label}.png", [tile for _, tile in tiles])
    return result


def tile_of(case: Case, found: np.ndarray, text: str, side: int = 300) -> np.ndarray:
    """The scan around the box: as it is, and with the true outline (green) and the found one (red)."""
    x0, y0, x1, y1 = (int(edge) for edge in box_of_mask(case.mask))
    ring = max(8, round(0.25 * max(x1 - x0, y1 - y0)))
    rows, columns = slice(max(0, y0 - ring), y1 + ring), slice(max(0, x0 - ring), x1 + ring)
    values = case.scan.values[:, rows, columns]
    picture = values if len(values) == 3 else np.repeat(values.mean(axis=0, keepdims=True), 3, axis=0)
    picture = np.ascontiguousarray(np.round(picture.transpose(1, 2, 0) * 255).astype(np.uint8))
    scale = (side - 20) / max(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    plain = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    drawn = plain.copy()
    for mask, colour in ((case.mask, (0, 255, 0)), (found, (255, 0, 0))):
        large = cv2.resize(mask[rows, columns].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(large, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outlines, -1, colour, 1)
    tile = np.full((side, 2 * side, 3), 255, np.uint8)
    tile[20 : 20 + size[1], : size[0]] = plain
    tile[20 : 20 + size[1], side : side + size[0]] = drawn
    cv2.putText(tile, text, (2, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return tile


def write_sheet(path: Path, tiles: list[np.ndarray], columns: int = 3) -> None:
    blank = np.full_like(tiles[0], 255)
    tiles = tiles + [blank] * (-len(tiles) % columns)
    write_png(path, np.vstack([np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]))


def put_back(data: Path, pictures: Path | None) -> dict:
    """A real threat out and its own signature in again; the bag behind made up by each way, the mask drawn and guessed."""
    results: dict = {}
    tiles = []
    for given in (True, False):
        for fill in Fill:
            rows = []
            for case in drawn_masks(data):
                sample = case.sample(with_mask=given)
                taken = remove_threats(sample, fill=fill)
                if isinstance(taken, Refused):
                    print(f"  put_back {case.name}: refused, {taken}")
                    continue
                found = taken.isolated[0]
                again = project(taken.image, found.signature, int(found.box[0]), int(found.box[1]))
                x0, y0, x1, y1 = (int(edge) for edge in box_of_mask(case.mask))
                rows.append(psnr(again.values[:, y0:y1, x0:x1], case.scan.values[:, y0:y1, x0:x1]))
                if pictures and not given:
                    tiles.append(
                        strip(f"{case.name} {fill.value} {rows[-1]:.1f} dB", box_of_mask(case.mask), case.scan, taken.image, again)
                    )
            label = f"{'drawn' if given else 'guessed'}_{fill.value}"
            results[label] = {"n": len(rows), "mean_db": mean(rows), "sd_db": round(float(np.std(rows)), 2), "min_db": round(min(rows), 2)}
            results[label]["at_least_32_db"] = int(sum(row >= 32 for row in rows))
    if pictures:
        write_sheet(pictures / "put_back.png", tiles, 2)
    return results


def hide(data: Path, count: int, seed: int, pictures: Path | None) -> dict:
    """Threat-shaped regions of benign bags hidden and made up again: how near the truth, and how much of its grain comes back."""
    config = PhantomConfig(labelled=dict.fromkeys(PhantomConfig().labelled, 0), photos_per_class=count, photo_size=280)
    jobs = [job for job in plan(config, seed) if job.kind is JobKind.PHOTO]
    bags = sorted((data / "sixray/negatives").glob("*"))
    order = stream(seed, "hide").permutation(len(bags))
    ways = {
        "harmonic": lambda a, h: harmonic_fill(a, h),
        "continued": lambda a, h: continued_fill(a, h),
        "telea": cv_fill(cv2.INPAINT_TELEA),
        "ns": cv_fill(cv2.INPAINT_NS),
    }
    scores: dict = {name: [] for name in ways}
    grains: dict = {name: [] for name in ways}
    costs: dict = dict.fromkeys(ways, 0.0)
    tiles = []
    for number, job in enumerate(jobs):
        rng = stream(seed, "hide", job.id)
        mask = render_photo(job, config).truth.mask
        path = bags[int(order[number % len(bags)])]
        try:
            scan = view_of(colour_of(read_pixels(path)), path.stem)
        except Exception:  # no air to be found
            continue
        bag = bag_mask(scan)
        scale = float(rng.uniform(0.15, 0.35)) * bag_length_px(bag) / np.hypot(*mask.shape)
        mask = cv2.resize(mask.astype(np.uint8), None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST) > 0
        height, width = mask.shape
        for _ in range(200):
            x, y = (int(rng.integers(1, max(2, full - part))) for full, part in ((scan.width, width), (scan.height, height)))
            under = bag[y : y + height, x : x + width]
            if under.shape == mask.shape and under[mask].all():
                break
        else:
            continue
        hole = np.zeros(scan.size, bool)
        hole[y : y + height, x : x + width] = mask
        pad = 2 * max(mask.shape)
        rows, columns = slice(max(0, y - pad), y + height + pad), slice(max(0, x - pad), x + width + pad)
        attenuation = np.minimum(scan.attenuation().values, np.float32(np.log(255)))[:, rows, columns]
        truth, part = np.exp(-attenuation), hole[rows, columns]
        made_images = []
        for name, way in ways.items():
            start = time.process_time()
            made = np.exp(-way(np.where(part, 0, attenuation).astype(np.float32), part))
            costs[name] += time.process_time() - start
            scores[name].append(psnr(made[:, part], truth[:, part]))
            grains[name].append(grain(made, part) / max(grain(truth, part), 1e-6))
            made_images.append(XrayImage(np.clip(made, 2**-17, 1).astype(np.float32), Quantity.TRANSMISSION, COLOUR))
        if pictures and len(tiles) < 24:
            original = XrayImage(np.clip(truth, 2**-17, 1).astype(np.float32), Quantity.TRANSMISSION, COLOUR)
            text = f"{path.stem} " + " ".join(f"{name} {each[-1]:.1f}" for name, each in scores.items())
            tiles.append(strip(text, box_of_mask(part), original, *made_images))
    if pictures:
        write_sheet(pictures / "hide.png", tiles, 1)
    return {
        name: {
            "n": len(each),
            "mean_db": mean(each),
            "sd_db": round(float(np.std(each)), 2),
            "min_db": round(min(each), 2),
            "median_grain": round(float(np.median(grains[name])), 3),
            "cpu_s_each": round(costs[name] / len(each), 3),
        }
        for name, each in scores.items()
    }


def cv_fill(method: int):
    """OpenCV's inpainting, which takes 8-bit pictures: on transmissions."""

    def fill(attenuation: np.ndarray, hole: np.ndarray) -> np.ndarray:
        picture = np.ascontiguousarray(np.round(np.exp(-attenuation) * 255).astype(np.uint8).transpose(1, 2, 0))
        done = cv2.inpaint(picture, hole.astype(np.uint8), 5, method).transpose(2, 0, 1)
        return np.where(hole, -np.log(np.maximum(done, 1) / 255), attenuation).astype(np.float32)

    return fill


def grain(values: np.ndarray, mask: np.ndarray) -> float:
    """Mean size of the gradient inside a mask."""
    plane = values.mean(axis=0)
    down, across = np.gradient(plane)
    return float(np.hypot(down, across)[mask].mean())


def psnr(found: np.ndarray, true: np.ndarray) -> float:
    """dB of full scale 1; 99 for equal pictures."""
    error = float(((found.astype(np.float64) - true) ** 2).mean())
    return min(99.0, -10 * np.log10(max(error, 1e-12)))


def strip(text: str, box: tuple, *images: XrayImage, side: int = 260) -> np.ndarray:
    """The box with a ring of bag in each picture, side by side."""
    x0, y0, x1, y1 = (int(edge) for edge in box)
    ring = max(8, round(0.3 * max(x1 - x0, y1 - y0)))
    rows, columns = slice(max(0, y0 - ring), y1 + ring), slice(max(0, x0 - ring), x1 + ring)
    tile = np.full((side + 20, side * len(images), 3), 255, np.uint8)
    for place, image in enumerate(images):
        values = image.values[:, rows, columns]
        picture = np.ascontiguousarray(
            np.round((values if len(values) == 3 else np.repeat(values[:1], 3, axis=0)).transpose(1, 2, 0) * 255).astype(np.uint8)
        )
        scale = (side - 4) / max(picture.shape[:2])
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        tile[20 : 20 + small.shape[0], place * side : place * side + small.shape[1]] = small
    cv2.putText(tile, text, (2, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return tile


def speed(data: Path, count: int) -> dict:
    """CPU time of every step over real scans with boxes."""
    from threatray.datasets.formats import read_dataset

    dataset = read_dataset(data / "sixray")
    entries = dataset.entries[:: max(1, len(dataset.entries) // count)][:count]
    costs = {"decode_and_view": 0.0, "isolate": 0.0, "remove": 0.0}
    sizes, made, refused = [], 0, 0
    for entry in entries:
        start = time.process_time()
        sample = TransmissionView.of(dataset.load_colour(entry)).sample
        costs["decode_and_view"] += time.process_time() - start
        sizes.append(sample.image.size)
        start = time.process_time()
        for index in range(len(sample.annotations)):
            found = isolate(sample, index)
            made += isinstance(found, Isolated)
            refused += isinstance(found, Refused)
        costs["isolate"] += time.process_time() - start
        start = time.process_time()
        remove_threats(sample)
        costs["remove"] += time.process_time() - start
    costs["remove"] -= costs["isolate"]  # which it holds
    height, width = np.median(sizes, axis=0)
    each = {name: round(value / len(entries), 4) for name, value in costs.items()}
    rate = made / (costs["decode_and_view"] + costs["isolate"])
    return {
        "scans": len(entries),
        "median_size": f"{width:.0f}x{height:.0f}",
        "signatures": made,
        "refused": refused,
        "cpu_s_each": each,
        "signatures_per_cpu_s": round(rate, 2),
    }


def mean(values: Iterator[float]) -> float:
    return round(float(np.mean(list(values))), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--count", type=int, default=8, help="per class, where cases are made")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--looseness", type=float, default=0.0)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    results = {}
    start = time.process_time()
    for part in options.parts:
        if part == "masks":
            results[part] = measure_masks(drawn_masks(options.data), options.pictures, part, looseness=options.looseness)
        elif part == "phantom":
            for colour in (True, False):
                label = f"phantom_{'colour' if colour else 'pairs'}"
                cases = phantom_cases(options.count, options.seed, colour=colour)
                results[label] = measure_masks(cases, options.pictures, label, looseness=options.looseness)
        elif part == "planted":
            cases = planted_cases(options.data, options.count, options.seed)
            results[part] = measure_masks(cases, options.pictures, part, looseness=options.looseness)
        elif part == "fit":
            results[part] = fit(options.data, options.count, options.seed)
        elif part == "put_back":
            results[part] = put_back(options.data, options.pictures)
        elif part == "hide":
            results[part] = hide(options.data, options.count, options.seed, options.pictures)
        elif part == "speed":
            results[part] = speed(options.data, options.count)
        else:
            raise SystemExit(f"no part {part!r}")
    results["cpu_s"] = round(time.process_time() - start, 1)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
