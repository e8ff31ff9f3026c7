"""Noise inside composites against that of a scan of bag and threat, on the phantom, whose photons are known.

    python benchmarks/noise_match.py [--pairs 24] [--size 220x300] [--pitch 0.2]

The truth is a scan of the bag with the threat in it; composites are made of a scan of the bag alone and of the threat's
transmission, either free of noise (as translated and rendered ones are) or taken out of a scan of another bag. Looked at are pixels
inside the threat of more than 1 % transmission: below, electronic noise outweighs the photons'. See ``noise_match.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from threatray.core import COLOUR, DUAL_ENERGY, Origin, OriginKind, Quantity, Signature, XrayImage
from threatray.core.annotations import box_of_mask
from threatray.phantom.bags import pack_bag
from threatray.phantom.dataset import make, object_thickness
from threatray.phantom.pose import draw_pose
from threatray.phantom.raster import Frame
from threatray.phantom.scanner import GREY_LEVELS, PhantomScanner
from threatray.physics.noise import detector_blur
from threatray.tip.colour import ColourTip
from threatray.tip.compose import CompositeParams, Insertion
from threatray.tip.levels import ChannelLaw, EnergyLaw, Law, StoredScan, compose_levels
from threatray.tip.vary import VariationParams

FEWEST, STARVED = 150, 0.01
AIR = np.full(2, GREY_LEVELS, np.float32)
LUMA = np.array([0.299, 0.587, 0.114])

Found = dict[str, NDArray[Any]]


def one_pair(seed: int, size: tuple[int, int], pitch_cm: float) -> Found | None:
    """What was measured -> numbers; None if the threat is too small to measure noise in."""
    rng, scanner = np.random.default_rng(seed), PhantomScanner()
    home, away = pack_bag(size, pitch_cm, rng).thickness_cm, pack_bag(size, pitch_cm, rng).thickness_cm
    frame = Frame(size, pitch_cm, (-size[1] * pitch_cm / 2, size[0] * pitch_cm / 2))
    threat, mask = object_thickness(make(("gun", "knife")[seed % 2], rng), draw_pose(rng, tilt_sigma=0.1), frame)
    behind = detector_blur(scanner.ideal(away), scanner.blur_sigma_px).values * detector_blur(scanner.ideal(threat), 0.6).values
    core = (cv2.erode(mask.astype(np.uint8), np.ones((3, 3))) > 0) & (behind.min(axis=0) > STARVED)
    if core.sum() < FEWEST:
        return None
    corner = [int(edge) for edge in box_of_mask(mask)[:2]]

    def with_threat(bag: Any) -> dict[str, Any]:
        return {name: bag.get(name, 0) + threat.get(name, 0) for name in {*bag, *threat}}

    def scanned(thickness: Any) -> XrayImage:
        return scanner.scan(thickness, scanner.draw(size, rng))

    def expected(thickness: Any) -> XrayImage:
        return detector_blur(scanner.ideal(thickness), scanner.blur_sigma_px)

    def counts(image: XrayImage) -> StoredScan:
        return StoredScan(np.rint(image.values * GREY_LEVELS).astype(np.uint16), DUAL_ENERGY)

    def colours(image: XrayImage) -> StoredScan:
        return StoredScan(np.rint(scanner.colour(image).values * 255).astype(np.uint8), COLOUR)

    def signature(values: NDArray[Any], kind: OriginKind) -> Signature:
        image = XrayImage(np.where(mask, np.clip(values, 1e-4, 1), 1).astype(np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
        return Signature("t", image, mask, "t", Origin(kind, "t", "t"))

    def composite(bag: StoredScan, thing: Signature, law: Law, photon: tuple[float, ...], seed: int = seed) -> StoredScan:
        params = CompositeParams("bag", (Insertion("t", VariationParams(), corner[0], corner[1]),), seed, photon)
        return StoredScan(compose_levels(bag, params, lambda _: thing, law).levels, bag.channels)

    def spread(scan: StoredScan, reference: NDArray[Any]) -> NDArray[Any]:
        """Of what a 3x3 mean does not explain of the levels as a share of what they should be, inside the threat."""
        share = scan.levels / GREY_LEVELS / reference - 1
        return np.array([np.std((plane - cv2.blur(plane, (3, 3)))[core]) for plane in share])

    def flicker(draw: Callable[[int], StoredScan]) -> NDArray[Any]:
        """The same of colours, from two draws of one scene: in luma, and in red less blue."""
        one, other = (draw(number).levels.astype(np.float32) for number in (1, 2))
        change = one - other
        return np.array([np.std(plane[core]) for plane in (np.tensordot(LUMA, change, 1), change[0] - change[2])])

    clean = signature(expected(threat).values, OriginKind.RENDERED)
    own = signature(scanned(with_threat(home)).values / expected(home).values, OriginKind.REAL)
    bag, tip = scanned(away), ColourTip(scanner.palette)
    law, energies = ChannelLaw(), EnergyLaw(tip)
    known = tuple(GREY_LEVELS / photons for photons in scanner.photons_per_pixel)
    measured = law.photon(counts(bag).levels, AIR)
    by_colour = energies.photon(colours(bag).levels, np.full(3, 255, np.float32))
    truth = spread(counts(scanned(with_threat(away))), expected(with_threat(away)).values)
    behind = expected(away).values * clean.image.values
    made = {
        "noise-free signature, product alone": composite(counts(bag), clean, law, ()),
        "noise-free signature, photons known": composite(counts(bag), clean, law, known),
        "noise-free signature, photons measured": composite(counts(bag), clean, law, measured),
        "scanned signature": composite(counts(bag), own, law, measured),
    }
    found = {f"counts, {name}": spread(scan, behind) / truth for name, scan in made.items()}
    true_colours = flicker(lambda _: colours(scanned(with_threat(away))))
    for name, photon in (("product alone", ()), ("photons measured in colours", by_colour)):
        drawn = flicker(lambda number, photon=photon: composite(colours(scanned(away)), clean, energies, photon, number))  # type: ignore[misc]
        found[f"colours (luma, red less blue), noise-free signature, {name}"] = drawn / true_colours
    found["levels per photon, measured / true (low, high)"] = np.array(measured) / known
    found["the same, measured in colours"] = np.array(by_colour) * GREY_LEVELS / known
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--size", default="220x300", help="rows x columns of the scans")
    parser.add_argument("--pitch", type=float, default=0.2, help="cm")
    options = parser.parse_args()
    rows, columns = (int(side) for side in options.size.split("x"))
    tried = (one_pair(seed, (rows, columns), options.pitch) for seed in range(options.pairs))
    pairs = [found for found in tried if found is not None]
    print(f"{len(pairs)} pairs of {options.size} pixels; noise inside the threat as a share of the truth's: median (10-90 %)")
    for name in pairs[0]:
        values = np.array([pair[name] for pair in pairs])
        low, high = np.quantile(values, (0.1, 0.9), axis=0)
        print(f"  {name}: " + ", ".join(f"{m:.2f} ({a:.2f}-{b:.2f})" for m, a, b in zip(np.median(values, axis=0), low, high, strict=True)))


if __name__ == "__main__":
    main()
