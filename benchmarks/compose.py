"""How fast composites are made, what they cost beside reading and writing pictures, and how right they are.

    python benchmarks/compose.py speed            # against decode + encode, the plain superposition, a per-pixel colouriser
    python benchmarks/compose.py memory           # the last two alone: pictures in memory, in and out
    python benchmarks/compose.py soak             # memory at 1,000, 10,000 and 100,000 composites
    python benchmarks/compose.py scaling          # one process against two
    python benchmarks/compose.py rotation         # what turning costs in quality
    python benchmarks/compose.py law --data DIR   # error against the law on real dual-energy pairs

Inputs are rendered by the phantom, so that anyone can run it; ``--data`` adds real ones. Every figure is CPU time of this process
(``time.process_time``), ours and the rival's taken in turn, median and range over the rounds.
"""

from __future__ import annotations

import argparse
import io
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from threatray.balance.plan import PlannedComposite, PlannedThreat
from threatray.core import COLOUR, DUAL_ENERGY, Origin, OriginKind, Quantity, Signature, XrayImage
from threatray.core.image_file import read_pixels, write_jpeg
from threatray.core.jpeg import read_plain_jpeg
from threatray.datasets.formats import read_dataset
from threatray.phantom.dataset import JobKind, PhantomConfig, plan, render_photo, render_scan
from threatray.physics.pseudo_colour import DEFAULT_PALETTE
from threatray.pipeline.palettes import ScannerPalettes
from threatray.pipeline.sources import Role, Sources, Taxonomy
from threatray.pipeline.stages.compose_stage import OutputConfig, _Shared, by_bag, compose_bag
from threatray.pipeline.workers import run_jobs_to_disk
from threatray.tip.bag_map import BagMap
from threatray.tip.compose import CompositeParams, Insertion
from threatray.tip.draw import ComposeConfig, Scaling, draw_composite
from threatray.tip.levels import StoredScan, compose_levels
from threatray.tip.library import SignatureLibrary, write_index, write_signature
from threatray.tip.refusal import Refused
from threatray.tip.signature_cache import CachedLibrary
from threatray.tip.vary import Variation, VariationParams, vary

SEED = 7
OWN_SIZE = ComposeConfig(scaling=Scaling.OWN)


def in_turn(rounds: int, *jobs: Callable[[], int]) -> list[list[float]]:
    """CPU milliseconds for each item of each job, taken in turn; a job returns how many items it did."""
    found: list[list[float]] = [[] for _ in jobs]
    for job in jobs:
        job()
    for number in range(rounds):
        for place in range(len(jobs)) if number % 2 else range(len(jobs) - 1, -1, -1):
            began = time.process_time()
            count = jobs[place]()
            found[place].append(1e3 * (time.process_time() - began) / max(1, count))
    return found


def shown(values: Sequence[float], digits: int = 2) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def ratios(top: Sequence[float], bottom: Sequence[float]) -> str:
    return shown([one / other for one, other in zip(top, bottom, strict=True)])


# ---- inputs


def phantom_bags(count: int, height: int = 600, width: int = 800) -> list[NDArray[np.uint8]]:
    """Benign bags as 8-bit colour pictures."""
    config = PhantomConfig(image_height=height, image_width=width, pitch_cm=52 / width, labelled={"gun": 1}, benign=count)
    jobs = [job for job in plan(config, SEED) if job.kind is JobKind.BENIGN]
    return [np.rint(render_scan(job, config).colour.values * 255).astype(np.uint8).transpose(1, 2, 0).copy() for job in jobs]


def phantom_threats(count: int, side: int = 256) -> list[Signature]:
    """Guns and knives alone in windows of ``side`` pixels, as dual-energy transmissions."""
    config = PhantomConfig(labelled={"gun": 1, "knife": 1}, photos_per_class=(count + 1) // 2, photo_size=side)
    jobs = [job for job in plan(config, SEED) if job.kind is JobKind.PHOTO]
    return [render_photo(job, config).truth for job in jobs][:count]


def in_colour(signature: Signature) -> Signature:
    """What the signature does to each of the three colours."""
    colours = DEFAULT_PALETTE.render(signature.image).values
    values = np.where(signature.mask, np.clip(colours, 1 / 255, 1), 1).astype(np.float32)
    return Signature(signature.id, XrayImage(values, Quantity.TRANSMISSION, COLOUR), signature.mask, signature.class_name, signature.origin)


def library_of(folder: Path, signatures: Sequence[Signature]) -> CachedLibrary:
    write_index(folder, [write_signature(folder, signature) for signature in signatures])
    return CachedLibrary(SignatureLibrary.open(folder))


def workshop(
    folder: Path, bags: Path, library: CachedLibrary, palettes: ScannerPalettes | None = None, config: ComposeConfig = OWN_SIZE
) -> _Shared:
    """What the compose stage hands to its workers; with palettes, colour is projected by its two energies."""
    sources = Sources.open({Role.BENIGN: bags}, Taxonomy())
    located = {one.key: one for one in sources.located(Role.BENIGN)}
    return _Shared(config, OutputConfig(), sources, located, library, {}, SEED, folder, palettes)


def planned(shared: _Shared, reuse: int, start: int = 0) -> list[tuple[PlannedComposite, ...]]:
    names, found = shared.library.library.by_class(), []
    ids = [name for each in names.values() for name in each]
    classes = {name: label for label, each in names.items() for name in each}
    for number in range(len(shared.bags) * reuse):
        chosen = ids[(start + number) % len(ids)]
        threat = PlannedThreat(classes[chosen], chosen)
        found.append(PlannedComposite(f"composite-{start + number:06d}", list(shared.bags)[number % len(shared.bags)], (threat,)))
    return by_bag(found)


# ---- rivals, plainly written from their published descriptions


def superposition(bag: NDArray[np.uint8], threat: NDArray[np.float64], gain: float = 1.0, offset: float = 0.0) -> NDArray[np.uint8]:
    """The published superposition ``C * Jf * Jb + B`` in double precision on the whole picture (Mery and Katsaggelos, CVPRW 2017)."""
    behind = (bag.astype(np.float64) / 255 - offset) / gain
    made = gain * threat * behind + offset
    return np.clip(np.rint(made * 255), 0, 255).astype(np.uint8)


def colourise_by_pixel(low: NDArray[np.float32], high: NDArray[np.float32], table: list[list[tuple[int, int, int]]]) -> list[list[Any]]:
    """A pair of energies to colours, a pixel at a time in a Python loop."""
    rows, columns = low.shape
    lightest, materials = len(table[0]) - 1, len(table) - 1
    picture = []
    for y in range(rows):
        line = []
        for x in range(columns):
            one, other = float(low[y, x]), float(high[y, x])
            place = min(materials, int((one / other if other else 1.0) * materials))
            line.append(table[place][int((one + other) / 2 * lightest)])
        picture.append(line)
    return picture


# ---- modes


def speed(rounds: int, data: Path | None, *, files: bool = True) -> None:
    energies = phantom_threats(12)
    threats = [in_colour(each) for each in energies]
    sets = {"phantom bags 800x600": phantom_bags(8)}
    if data is not None:
        paths = sorted((data / "sixray" / "negatives").glob("*.jpg"))[:8]
        sets["SIXray negatives, shrunk to 800x600"] = [np.asarray(Image.open(path).convert("RGB").resize((800, 600))) for path in paths]
    for name, bags in sets.items():
        print(f"\n{name}, JPEG quality 90, 4:2:0; 12 threats of 256x256, turned, mirrored, thickness varied")
        for reuse in (1, 3, 10) if files else ():
            against_coding(bags, threats, reuse, rounds)
        if files and name.startswith("phantom"):  # whose palette is known
            by_energies(bags, energies, 10, rounds)
        in_memory(bags, threats, rounds)


def with_grain(signature: Signature) -> Signature:
    grain = np.random.default_rng(SEED).normal(0, 0.05, (3, *signature.image.size)).astype(np.float32)
    return replace(signature, grain=grain * signature.mask)


def bag_files(folder: Path, bags: list[NDArray[np.uint8]]) -> list[Path]:
    """The bags as JPEG files in ``folder/bags``, with ``folder/plain`` beside it for what is only coded anew."""
    for name in ("bags", "plain"):
        (folder / name).mkdir()
    for number, bag in enumerate(bags):
        Image.fromarray(bag).save(folder / "bags" / f"b{number}.jpg", quality=90, subsampling=2)
    return sorted((folder / "bags").glob("*.jpg"))


def coded_by_pillow(paths: list[Path], out: Path, reuse: int) -> int:
    """Decode every picture and encode it with its own tables into a folder, so many times: the bound of any composing."""
    for _ in range(reuse):
        for path in paths:
            with Image.open(path) as image:
                pixels, tables = np.asarray(image), image.quantization  # type: ignore[attr-defined]
                sampling = JpegImagePlugin.get_sampling(image)
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "JPEG", qtables=tables, subsampling=sampling)
            (out / path.name).write_bytes(buffer.getvalue())
    return reuse * len(paths)


def by_energies(bags: list[NDArray[np.uint8]], energies: list[Signature], reuse: int, rounds: int) -> None:
    """Files in and out by way of the two energies, with and without noise and grain, by channels, and coding alone: all in turn."""
    palettes, silent = ScannerPalettes((DEFAULT_PALETTE,)), replace(OWN_SIZE, photon_noise=False)
    grainy = [with_grain(each) for each in energies]
    kinds = {
        "by channels": ([in_colour(each) for each in energies], None, OWN_SIZE),
        "by energies": (energies, palettes, silent),
        "by energies, with grain": (grainy, palettes, silent),
        "by energies, with the missing noise": (energies, palettes, OWN_SIZE),
        "by energies, with both": (grainy, palettes, OWN_SIZE),
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        paths = bag_files(folder, bags)

        def composing(
            number: int, threats: list[Signature], with_palettes: ScannerPalettes | None, config: ComposeConfig
        ) -> Callable[[], int]:
            library = library_of(folder / f"library{number}", threats)
            shared = workshop(folder / f"out{number}", folder / "bags", library, with_palettes, config)
            groups = planned(shared, reuse)
            return lambda: sum(sum("params" in each for each in compose_bag(shared, group)) for group in groups)

        ways = [composing(number, *each) for number, each in enumerate(kinds.values())]
        *took, alone = in_turn(rounds, *ways, lambda: coded_by_pillow(paths, folder / "plain", reuse))
    print(f"  {reuse} composites a bag; decode + encode with Pillow {shown(alone)} ms")
    for name, mine in zip(kinds, took, strict=True):
        print(f"    {name}: {shown(mine)} ms each, {ratios(mine, alone)} of coding, {ratios(mine, took[0])} of channels")


def against_coding(bags: list[NDArray[np.uint8]], threats: list[Signature], reuse: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        paths = bag_files(folder, bags)
        shared = workshop(folder / "out", folder / "bags", library_of(folder / "library", threats))
        groups = planned(shared, reuse)
        made: list[int] = []

        def ours() -> int:
            made[:] = [sum("params" in each for each in compose_bag(shared, group)) for group in groups]
            return sum(made)

        def same_codec() -> int:
            for _ in range(reuse):
                for path in paths:
                    plain = read_plain_jpeg(path)
                    assert plain is not None
                    write_jpeg(folder / "plain" / path.name, plain[0], like=plain[1])
            return reuse * len(paths)

        mine, alone, codec = in_turn(rounds, ours, lambda: coded_by_pillow(paths, folder / "plain", reuse), same_codec)
        share = sum(made) / (reuse * len(bags))
        rate = 1e3 / statistics.median(mine)
        print(f"  {reuse:2d} composites a bag: {shown(mine)} ms each, {rate:.0f} a second and core ({share:.0%} of the plan)")
        print(f"    decode + encode with Pillow {shown(alone)} ms: ratio {ratios(mine, alone)}")
        print(f"    decode + encode with the codec that compose uses {shown(codec)} ms: ratio {ratios(mine, codec)}")


def in_memory(bags: list[NDArray[np.uint8]], threats: list[Signature], rounds: int) -> None:
    scans = [StoredScan(bag.transpose(2, 0, 1), COLOUR) for bag in bags]
    maps = [BagMap.of_levels(scan.levels, None) for scan in scans]
    library = {each.id: each for each in threats}
    rng = np.random.default_rng(SEED)
    as_it_is = ComposeConfig(scaling=Scaling.OWN, variation=Variation(angle_range_deg=(0, 0)))
    jobs: list[tuple[int, CompositeParams]] = []
    while len(jobs) < 24:
        number = len(jobs) % len(bags)
        drawn = draw_composite(maps[number], "bag", [threats[int(rng.integers(len(threats)))]], rng, as_it_is)
        if not isinstance(drawn, Refused):
            jobs.append((number, drawn))
    # The superposition gets its threat ready made, in the picture's frame; so does our projection, in its window.
    ready, frames = [], []
    for number, params in jobs:
        insertion = params.insertions[0]
        varied = vary(library[insertion.signature_id], insertion.variation)
        ready.append((number, CompositeParams("bag", (Insertion("t", VariationParams(), insertion.x, insertion.y),)), varied))
        frame = np.ones((*scans[number].size, 3))
        frame[insertion.y : insertion.y + varied.image.height, insertion.x : insertion.x + varied.image.width] = (
            varied.image.values.transpose(1, 2, 0)
        )
        frames.append(frame)

    def projecting() -> int:
        for number, params, varied in ready:
            compose_levels(scans[number], params, lambda _, varied=varied: varied)  # type: ignore[misc]
        return len(ready)

    def drawing_too() -> int:
        for number, params in jobs:
            vary.cache_clear()
            drawn = draw_composite(maps[number], "bag", [library[params.insertions[0].signature_id]], rng, OWN_SIZE)
            if not isinstance(drawn, Refused):
                compose_levels(scans[number], drawn, library.__getitem__)
        return len(jobs)

    def plain() -> int:
        for (number, _), frame in zip(jobs, frames, strict=True):
            superposition(bags[number], frame)
        return len(jobs)

    table = [[(int(255 * i / 63), int(255 * j / 63), 128) for i in range(64)] for j in range(16)]
    low, high = (bag.astype(np.float32) / 255 for bag in (bags[0][..., 0], bags[0][..., 1]))

    def by_pixel() -> int:
        colourise_by_pixel(low, high, table)
        return 1

    mine, whole, rival, loop = in_turn(rounds, projecting, drawing_too, plain, by_pixel)
    print(f"  in memory, projection with mask and box: {shown(mine)} ms; with place, turn and thickness drawn anew: {shown(whole)} ms")
    print(f"    plain float64 superposition on the whole picture: {shown(rival)} ms = {ratios(rival, mine)} times ours")
    print(f"    per-pixel colouriser: {shown(loop)} ms = {ratios(loop, mine)} times ours")
    a, (number, params, varied) = frames[0], ready[0]
    error = np.abs(
        superposition(bags[number], a).astype(int) - compose_levels(scans[number], params, lambda _: varied).levels.transpose(1, 2, 0)
    )
    print(f"    greatest difference of the two results: {error.max()} grey levels")


class Endless(Sequence[tuple[PlannedComposite, ...]]):
    """A plan that is never held: group ``n`` is made when asked for."""

    def __init__(self, shared: _Shared, count: int, a_bag: int = 10) -> None:
        self.count, self.a_bag, self.bags = count // a_bag, a_bag, list(shared.bags)
        by_class = shared.library.library.by_class()
        self.threats = [PlannedThreat(label, name) for label, names in by_class.items() for name in names]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: Any) -> Any:
        if place >= self.count:
            raise IndexError(place)
        first, bag = place * self.a_bag, self.bags[place % len(self.bags)]
        return tuple(
            PlannedComposite(f"composite-{n:06d}", bag, (self.threats[n % len(self.threats)],)) for n in range(first, first + self.a_bag)
        )


def small_workshop(folder: Path, height: int = 150, width: int = 200) -> _Shared:
    (folder / "bags").mkdir()
    for number, bag in enumerate(phantom_bags(8, height, width)):
        Image.fromarray(bag).save(folder / "bags" / f"b{number}.jpg", quality=90)
    threats = [in_colour(each) for each in phantom_threats(12, 48)]
    return workshop(folder / "out", folder / "bags", library_of(folder / "library", threats))


def resident_mb() -> float:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize() / 1e6


def soak(count: int) -> None:
    print(f"{count} composites of 200x150 bags, results to disk; resident memory of the one process")
    with tempfile.TemporaryDirectory() as scratch:
        shared = small_workshop(Path(scratch))
        marks = {count // 100, count // 10, count}

        def note(done: int, total: int) -> None:
            made = done * 10
            if made in marks:
                marks.discard(made)
                print(f"  {made:7d} composites: {resident_mb():.1f} MB", flush=True)

        began = time.process_time()
        results = run_jobs_to_disk(compose_bag, shared, Endless(shared, count), workers=1, update=note, ledger=Path(scratch) / "l.ledger")
        refused = sum("reason" in each for group in results for each in group)
        print(f"  {1e3 * (time.process_time() - began) / count:.2f} ms CPU each; {refused} refused")


def scaling(count: int, rounds: int) -> None:
    print(f"{count} composites of 800x600 bags, 10 a bag, wall time; run it on a quiet machine")
    threats = [in_colour(each) for each in phantom_threats(12)]
    gains = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "bags").mkdir()
        for number, bag in enumerate(phantom_bags(8)):
            Image.fromarray(bag).save(folder / "bags" / f"b{number}.jpg", quality=90)
        shared = workshop(folder / "out", folder / "bags", library_of(folder / "library", threats))
        for number in range(rounds):
            rates = []
            for workers in (1, 2):
                ends: list[tuple[float, int]] = []
                ledger = folder / f"{number}-{workers}.ledger"
                run_jobs_to_disk(
                    compose_bag, shared, Endless(shared, count), workers=workers, ledger=ledger,
                    update=lambda done, total, ends=ends: ends.append((time.monotonic(), done)),  # type: ignore[misc]
                )  # fmt: skip
                # From the first results on: starting a process is not scaling.
                (begin, first), (end, last) = next(each for each in ends if each[1] >= max(1, count // 100)), ends[-1]
                rates.append(10 * (last - first) / (end - begin))
            gains.append(rates[1] / rates[0])
            print(f"  one process {rates[0]:.0f}, two {rates[1]:.0f} composites a second: {gains[-1]:.2f} times", flush=True)
    print(f"  gain of the second process: {shown(gains)}")


def rotation() -> None:
    """Turn by 45 degrees eight times: the shape is back where it was, and what differs is what turning lost."""
    print("root mean square error of the attenuation after 8 turns of 45 degrees, as a share of the threat's median attenuation")

    def turned_by(flag: int, times: int) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
        def turn(layer: NDArray[np.float32]) -> NDArray[np.float32]:
            side = layer.shape[0]
            matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), 45, 1.0)
            if times == 1:
                return cv2.warpAffine(layer, matrix, (side, side), flags=flag)
            large = matrix.copy()
            large[:, :2] *= times
            large[:, 2] = times * matrix[:, 2] + (times - 1) / 2
            return cv2.resize(
                cv2.warpAffine(layer, large, (side * times, side * times), flags=flag), (side, side), interpolation=cv2.INTER_AREA
            )

        return turn

    kernels = {
        "linear": turned_by(cv2.INTER_LINEAR, 1),
        "cubic (ours)": turned_by(cv2.INTER_CUBIC, 1),
        "cubic, 3x3 supersampled": turned_by(cv2.INTER_CUBIC, 3),
        "Lanczos 8x8": turned_by(cv2.INTER_LANCZOS4, 1),
    }
    threats = phantom_threats(10)
    for name, turn in kernels.items():
        errors, once = [], []
        for threat in threats:
            side = int(np.ceil(np.hypot(*threat.image.size))) + 8
            layer = np.zeros((side, side), np.float32)
            top, left = (side - threat.image.height) // 2, (side - threat.image.width) // 2
            layer[top : top + threat.image.height, left : left + threat.image.width] = threat.image.attenuation().values[0]
            moved = layer
            began = time.process_time()
            for _ in range(8):
                moved = np.clip(turn(moved), 0, layer.max())
            once.append(1e3 * (time.process_time() - began) / 8)
            inside = layer > 0.01
            errors.append(float(np.sqrt(np.mean((moved - layer)[inside] ** 2)) / np.median(layer[inside])))
        print(f"  {name:24s} {shown(errors, 3)}; {shown(once)} ms a turn and channel")
    quarters = []
    for threat in threats:
        four = threat
        for _ in range(4):
            four = vary(four, VariationParams(angle_deg=90))
        quarters.append(bool((four.image.values == vary(threat, VariationParams()).image.values).all()))
    print(f"  four quarter turns give back the same bits: {sum(quarters)} of {len(quarters)}")
    drift = []
    for threat in threats:
        eight = threat
        for _ in range(8):
            eight = vary(eight, VariationParams(angle_deg=45))
        sums = [each.image.attenuation().values.sum() for each in (eight, threat)]
        drift.append(abs(float(sums[0] / sums[1]) - 1))
    print(f"  amount of stuff (sum of attenuations) after eight turns off by {shown([100 * each for each in drift])} %")


def law(data: Path) -> None:
    """Real threats that lie alone in air, projected into real bags: every pixel of each energy against the product."""
    white = 60000
    bags = read_dataset(data / "dual_energy" / "bags", white_level=white).entries
    print("greatest and root mean square error against n * T in grey levels of 16 bit, by energy, over the window; pixels outside changed")
    for kind in ("knife", "gun"):
        entries = read_dataset(data / "dual_energy" / kind, white_level=white).entries
        worst, square, count, outside, made = np.zeros(2), np.zeros(2), 0, 0, 0
        for number, entry in enumerate(entries):
            assert entry.low_path is not None and entry.high_path is not None
            planes = [read_pixels(path) for path in (entry.low_path, entry.high_path)]
            values = np.clip(np.stack(planes) / white, 2.0**-17, 1).astype(np.float32)
            mask = (-np.log(values)).mean(axis=0) > 0.05
            mask = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).astype(bool)
            values = np.where(mask, values, 1).astype(np.float32)
            origin = Origin(OriginKind.REAL, entry.id, entry.id)
            threat = Signature(entry.id, XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY), mask, kind, origin)
            bag = bags[number % len(bags)]
            assert bag.low_path is not None and bag.high_path is not None
            levels = np.stack([read_pixels(path) for path in (bag.low_path, bag.high_path)])
            scan = StoredScan(levels, DUAL_ENERGY)
            known = BagMap.of_levels(levels, np.full(2, white, np.float32))
            drawn = draw_composite(
                known, bag.id, [threat], np.random.default_rng(number), ComposeConfig(variation=Variation()), relative_lengths=[0.15]
            )
            if isinstance(drawn, Refused):
                continue
            result = compose_levels(scan, drawn, lambda _, threat=threat: threat)  # type: ignore[misc]
            varied, insertion = result.placed[0], drawn.insertions[0]
            window = np.s_[:, insertion.y : insertion.y + varied.image.height, insertion.x : insertion.x + varied.image.width]
            error = result.levels[window] - levels[window].astype(np.float64) * varied.image.values
            worst = np.maximum(worst, np.abs(error).max(axis=(1, 2)))
            square, count, made = square + (error[:, varied.mask] ** 2).sum(axis=1), count + int(varied.mask.sum()), made + 1
            untouched = result.levels != levels
            untouched[window] &= ~varied.mask
            outside += int(untouched.sum())
        rms = np.sqrt(square / count)
        figures = ", ".join(f"{name} {worst[place]:.4f} / {rms[place]:.4f}" for place, name in enumerate(("low", "high")))
        print(f"  {kind}: {made} of {len(entries)} placed; {figures}; {outside} outside")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("speed", "memory", "soak", "scaling", "rotation", "law"))
    parser.add_argument("--data", type=Path, help="real data beside the project, e.g. ../shared/data")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", type=int, default=100_000, help="composites of soak; scaling takes a fiftieth")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.mode in ("speed", "memory"):
        speed(options.rounds, options.data, files=options.mode == "speed")
    elif options.mode == "soak":
        soak(options.count)
    elif options.mode == "scaling":
        scaling(options.count // 50, options.rounds)
    elif options.mode == "rotation":
        rotation()
    elif options.data is None:
        parser.error("law needs --data")
    else:
        law(options.data)


if __name__ == "__main__":
    main()
