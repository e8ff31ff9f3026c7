"""The phantom's scanner beside real dual-energy pairs: material ratios, air, noise, and what a composite's counts are off by.

    python benchmarks/physics.py [--data ../shared/data] [--fit]

The data are 16-bit pairs ``<name>_low.png`` and ``<name>_high.png`` in ``dual_energy/{knife,gun,bags}``: steel knives and replica
guns of polymer, alone in air, and whole bags. Where they are absent only the phantom's own figures are printed.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
from scipy import ndimage

from threatray.core import DUAL_ENERGY, Quantity, XrayImage
from threatray.datasets.formats.registry import read_dataset
from threatray.datasets.pixels import TransmissionReading
from threatray.phantom.scanner import PhantomScanner
from threatray.physics.dual_energy import DualEnergyScanner, SandwichDetector, r_value
from threatray.tip.isolate import isolate_in_air
from threatray.tip.refusal import Refused

LEAST = 0.1
"""High-energy attenuation above which a pixel is a thing and not air."""
EQUAL_ATTENUATION = (0.3, 0.6)
STEEL_CM = np.arange(0.10, 0.301, 0.02)
"""Blades: one to three millimetres."""
POLYMER_CM = np.arange(0.8, 4.01, 0.2)
"""Replica guns: frame and slide, with the ray along or across."""


def readings(folder: Path) -> list[TransmissionReading]:
    """Every pair of a folder, white taken from each file's own air."""
    dataset = read_dataset(folder)
    return [dataset.read_dual_energy(entry) for entry in dataset.entries]


def ratios(pairs: list[TransmissionReading], *, least: float = LEAST, most: float = 6.0) -> np.ndarray:
    """r of every pixel whose high-energy attenuation lies within these bounds."""
    found = []
    for pair in pairs:
        high = pair.image.attenuation().values[1]
        found.append(r_value(pair.image)[(high > least) & (high < most)])
    return np.concatenate(found)


def phantom_ratio(scanner: DualEnergyScanner, material: str, centimetres: np.ndarray) -> np.ndarray:
    """r of plates of these thicknesses."""
    return r_value(scanner.transmit({material: centimetres[None]}))[0]


def at_equal_attenuation(scanner: DualEnergyScanner, material: str, low: float, high: float) -> np.ndarray:
    """r of plates whose high-energy attenuation lies within these bounds."""
    centimetres = np.geomspace(1e-3, 40, 2000)[None]
    image = scanner.transmit({material: centimetres})
    seen = image.attenuation().values[1, 0]
    return r_value(image)[0][(seen > low) & (seen < high)]


def air(pairs: list[TransmissionReading]) -> np.ndarray:
    """For each pair the standard deviation of air in (low, high) and the share that was cut off at white.

    The files hold nothing brighter than white, so the deviation is that of the darker side: from the quantiles 5 and 16 % of a
    normal distribution whose share over white is known. Air is a region without structure, six pixels from anything.
    """
    from scipy.stats import norm

    found = []
    for pair in pairs:
        values = pair.counts / np.array(pair.white_levels)[:, None, None]
        empty = ndimage.binary_erosion(ndimage.median_filter(values.min(axis=0), 9) > 0.985, iterations=6)
        if empty.sum() < 200:
            continue
        row = []
        for plane in values:
            inside = plane[empty]
            over = float((inside >= 1).mean())
            five, sixteen = np.quantile(inside, [0.05, 0.1587])
            row += [(sixteen - five) / (norm.ppf(0.1587) - norm.ppf(0.05)), over]
        found.append(row)
    return np.array(found)


def neighbour_noise(pairs: list[TransmissionReading]) -> np.ndarray:
    """(P, 4): T and the relative noise of low, then of high, in flat regions: differences of neighbours across the belt's direction.

    Differences of neighbours forget gradients; where a scanner smooths or enlarges its image they are too small, so that this is a
    lower bound of the noise.
    """
    found = []
    for pair in pairs:
        row = []
        for plane in pair.image.values:
            smooth = ndimage.uniform_filter(plane, 9)
            flat = (
                (ndimage.maximum_filter(smooth, 9) - ndimage.minimum_filter(smooth, 9) < 0.02 * smooth) & (smooth < 0.93) & (smooth > 0.3)
            )
            if flat.sum() < 300:
                break
            step = (plane[:, 1:] - plane[:, :-1])[flat[:, 1:] & flat[:, :-1]]
            row += [float(smooth[flat].mean()), float(np.median(np.abs(step)) * 1.4826 / np.sqrt(2))]
        if len(row) == 4:
            found.append(row)
    return np.array(found).reshape(-1, 4)


def composite_error(bags: list[TransmissionReading], threats: list[TransmissionReading], seed: int) -> tuple[int, float]:
    """Grey levels that a written composite is off from the law, at most, over many places: (composites, levels)."""
    rng = np.random.default_rng(seed)
    worst, made = 0.0, 0
    for number, threat in enumerate(threats):
        taken = isolate_in_air(threat.image, f"t{number}", "threat", f"t{number}")
        if isinstance(taken, Refused):
            continue
        signature = taken.signature
        height, width = signature.image.size
        for bag in bags:
            if height > bag.image.height or width > bag.image.width:
                continue
            y, x = int(rng.integers(bag.image.height - height + 1)), int(rng.integers(bag.image.width - width + 1))
            window = np.s_[:, y : y + height, x : x + width]
            values = bag.image.values.copy()
            values[window] = np.maximum(values[window] * signature.image.values, np.float32(2.0**-17))
            changed = np.zeros(bag.image.size, bool)
            changed[window[1:]] = signature.mask
            counts = bag.counts_of(XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY), changed)
            law = np.minimum(bag.counts[window].astype(np.float64), 60_000) * signature.image.values.astype(np.float64)
            off = np.abs(counts[window] - law)[:, signature.mask]
            worst, made = max(worst, float(off.max())), made + 1
            assert (counts[:, ~changed] == bag.counts[:, ~changed]).all()
    return made, worst


def fit(steel: float, polymer: float) -> list[tuple[float, tuple[float, float, float]]]:
    """Thicknesses of front, copper and back by how far the two medians are off, best first."""
    found = []
    for layers in itertools.product((0.01, 0.02, 0.03, 0.04), (0.04, 0.06, 0.08, 0.10), (0.3, 0.4, 0.5)):
        scanner = DualEnergyScanner(detector=SandwichDetector(*layers))
        off = [
            np.median(phantom_ratio(scanner, "steel", STEEL_CM)) / steel - 1,
            np.median(phantom_ratio(scanner, "glass_filled_polyamide", POLYMER_CM)) / polymer - 1,
        ]
        found.append((float(np.abs(off).max()), layers))
    return sorted(found)


def by_thing(pairs: list[TransmissionReading]) -> np.ndarray:
    """Median r of each thing, whatever its size in pixels."""
    return np.array([np.median(ratios([pair])) for pair in pairs])


def spread(values: np.ndarray) -> str:
    """Median and 5 to 95 %."""
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    return f"{middle:.3f} ({low:.2f}-{high:.2f})"


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fit", action="store_true", help="search the detector's layers")
    options = parser.parse_args()
    scanner = DualEnergyScanner()
    print(f"phantom: one tube at {scanner.tube_kv} kVp, {scanner.detector}")
    for material, centimetres in (("steel", STEEL_CM), ("stainless_steel", STEEL_CM), ("glass_filled_polyamide", POLYMER_CM)):
        print(f"  r of {material}, {centimetres[0]:.1f}-{centimetres[-1]:.1f} cm: {spread(phantom_ratio(scanner, material, centimetres))}")
    for material in ("polyethylene", "abs", "polyamide", "water", "glass_filled_polyamide", "aluminium", "steel", "copper"):
        values = at_equal_attenuation(scanner, material, *EQUAL_ATTENUATION)
        print(f"  r of {material} where A_high is {EQUAL_ATTENUATION[0]}-{EQUAL_ATTENUATION[1]}: {spread(values)}")
    folder = options.data / "dual_energy"
    if not folder.is_dir():
        print(f"{folder} is not here: no real pairs to compare with")
        return
    knives, guns, bags = (readings(folder / name) for name in ("knife", "gun", "bags"))
    for name, pairs in (("knives", knives), ("guns", guns), ("bags", bags)):
        whites = sorted({level for pair in pairs for level in pair.white_levels})
        over = sum(pair.over_white for pair in pairs) / sum(pair.values for pair in pairs)
        print(f"real {name}: {len(pairs)} pairs, white from air {whites}, brighter than white {over:.2%}, r {spread(ratios(pairs))}")
        print(f"  median r of each: {spread(by_thing(pairs))}")
        print(f"  r where A_high is {EQUAL_ATTENUATION[0]}-{EQUAL_ATTENUATION[1]}: {spread(ratios(pairs, least=0.3, most=0.6))}")
    steel, polymer = float(np.median(ratios(knives))), float(np.median(ratios(guns)))
    for what, real, ours in (
        ("thin steel", steel, np.median(phantom_ratio(scanner, "steel", STEEL_CM))),
        ("polymer", polymer, np.median(phantom_ratio(scanner, "glass_filled_polyamide", POLYMER_CM))),
    ):
        print(f"median r of {what}: real {real:.3f}, phantom {ours:.3f}, {ours / real - 1:+.1%}")
    if options.fit:
        for off, layers in fit(steel, polymer)[:5]:
            print(f"  front {layers[0]} cm, copper {layers[1]} cm, back {layers[2]} cm: within {off:.1%}")
    noise = air([*knives, *guns, *bags])
    print(f"noise of real air, {len(noise)} pairs: low {np.median(noise[:, 0]):.2%}, high {np.median(noise[:, 2]):.2%}")
    print(f"  at or over white: low {np.median(noise[:, 1]):.0%}, high {np.median(noise[:, 3]):.0%}")
    flat = neighbour_noise([*guns, *bags])
    photons = PhantomScanner().photons_per_pixel
    for name, column, count in (("low", 0, photons[0]), ("high", 2, photons[1])):
        level = flat[:, column]
        expected = np.sqrt(level / count)
        print(
            f"  flat parts of {len(flat)} pairs, {name}: T {np.median(level):.2f}, neighbours {np.median(flat[:, column + 1]):.2%}, "
            f"phantom {np.median(expected):.2%} (air {np.sqrt(1 / count):.2%})"
        )
    made, worst = composite_error(bags, [*knives, *guns], options.seed)
    print(f"{made} composites of real threats in real bags: counts off from the law by at most {worst:.4f} of a 16-bit level")


if __name__ == "__main__":
    main()
