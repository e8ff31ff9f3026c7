"""Noise inside composites against that of a scan of bag and threat, on the phantom, whose photons are known.

    python benchmarks/noise_match.py [--pairs 24] [--size 220x300] [--pitch 0.2]

The truth is a scan of the bag with the threat in it; composites are made of a scan of the bag alone and of the threat's
transmission, either free of noise (as translated and rendered ones are) or isolated from a scan of another bag, mask given. Noise is what
changes from one draw of all the scans to the next, so that structure is none. Looked at are pixels inside the threat of more than 1 %
transmission: below, electronic noise outweighs the photons'. See ``noise_match.md``.
"""

from __future__ import annotations

import argparse
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from threatray.core import COLOUR, DUAL_ENERGY, Annotations, Origin, OriginKind, Quantity, Sample, Signature, XrayImage
from threatray.core.annotations import box_of_mask
from threatray.phantom.bags import pack_bag
from threatray.phantom.dataset import make, object_thickness
from threatray.phantom.pose import draw_pose
from threatray.phantom.raster import Frame
from threatray.phantom.scanner import GREY_LEVELS, PhantomScanner
from threatray.physics.noise import detector_blur
from threatray.tip.colour import ColourTip
from threatray.tip.compose import CompositeParams, Insertion
from threatray.tip.isolate import IsolateConfig, Isolated, isolate
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
    left, top = (int(edge) for edge in box_of_mask(mask)[:2])
    corner = (left, top)

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

    def signature(values: NDArray[Any]) -> Signature:
        image = XrayImage(np.where(mask, np.clip(values, 1e-4, 1), 1).astype(np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
        return Signature("t", image, mask, "t", Origin(OriginKind.RENDERED, "t", "t"))

    def out_of(image: XrayImage, *, denoise: bool) -> tuple[Signature, tuple[int, int]]:
        """What is isolated from a scan of the other bag and the threat, and the corner of its window."""
        annotations = Annotations(np.array([box_of_mask(mask)], np.float32), ("t",), mask[None])
        limits = IsolateConfig(darkest=1e-4, min_contrast=0, min_area=1, denoise=denoise)
        found = isolate(Sample("t", image, annotations, "t"), 0, limits)
        assert isinstance(found, Isolated)
        return found.signature, (int(found.box[0]), int(found.box[1]))

    def composite(
        bag: StoredScan, thing: Signature, law: Law, photon: tuple[float, ...], draw: int, at: tuple[int, int] = corner
    ) -> StoredScan:
        params = CompositeParams("bag", (Insertion(thing.id, VariationParams(), *at),), 2 * seed + draw, photon)
        return StoredScan(compose_levels(bag, params, lambda _: thing, law).levels, bag.channels)

    def counted(scans: list[StoredScan], where: NDArray[np.bool_]) -> NDArray[Any]:
        """Noise of counts, as a share of what they should be, inside the threat."""
        one, other = (scan.levels / GREY_LEVELS / target for scan in scans)
        return np.array([np.std(plane[where]) for plane in one - other])

    def coloured(scans: list[StoredScan]) -> NDArray[Any]:
        """The same of colours: in luma, and in red less blue."""
        change = scans[0].levels.astype(np.float32) - scans[1].levels
        return np.array([np.std(plane[core]) for plane in (np.tensordot(LUMA, change, 1), change[0] - change[2])])

    clean, target = signature(expected(threat).values), expected(with_threat(away)).values
    tip = ColourTip(scanner.palette)
    bags, homes, scans = ([scanned(thickness) for _ in range(2)] for thickness in (away, with_threat(home), with_threat(away)))
    seen = core & (expected(with_threat(home)).values.min(axis=0) > STARVED)
    law, energies = ChannelLaw(), EnergyLaw(tip)
    known = tuple(GREY_LEVELS / photons for photons in scanner.photons_per_pixel)
    measured = law.photon(counts(bags[0]).levels, AIR)
    by_colour = energies.photon(colours(bags[0]).levels, np.full(3, 255, np.float32))
    truth, true_colours = [counts(scan) for scan in scans], coloured([colours(scan) for scan in scans])
    found: Found = {}
    for name, photon in (("product alone", ()), ("photons known", known), ("photons measured", measured)):
        made = [composite(counts(bag), clean, law, photon, draw) for draw, bag in enumerate(bags)]
        found[f"counts, noise-free signature, {name}"] = counted(made, core) / counted(truth, core)
    sharp = out_of(expected(with_threat(home)), denoise=False)[0]
    for name, denoise in (("as it was", False), ("denoised, what is left accounted for", True)):
        taken = [out_of(image, denoise=denoise) for image in homes]
        made = [
            composite(counts(bag), thing, law, measured, draw, at) for draw, (bag, (thing, at)) in enumerate(zip(bags, taken, strict=True))
        ]
        if seen.sum() >= FEWEST:
            found[f"counts, scanned signature, {name}"] = counted(made, seen) / counted(truth, seen)
        found[f"counts, scanned signature, {name}, also where its own scan was dark"] = counted(made, core) / counted(truth, core)
        found[f"edges of the scanned signature, {name}"] = steepness([each.image for each, _ in taken], sharp.image)
    for name, photon in (("product alone", ()), ("photons measured in colours", by_colour)):
        made = [composite(colours(bag), clean, energies, photon, draw) for draw, bag in enumerate(bags)]
        found[f"colours (luma, red less blue), noise-free signature, {name}"] = coloured(made) / true_colours
    found["levels per photon, measured / true (low, high)"] = np.array(measured) / known
    found["the same, measured in colours"] = np.array(by_colour) * GREY_LEVELS / known
    return found


def steepness(made: list[XrayImage], true: XrayImage) -> NDArray[Any]:
    """Slope of the attenuation's gradient on that of a signature isolated from a scan without noise, where that one is steepest."""
    shares = []
    for channel in range(2):
        mean = np.mean([image.attenuation().values[channel] for image in made], axis=0)
        expected = true.attenuation().values[channel]
        grown, steep = (np.stack([cv2.Sobel(each, -1, *way) for way in ((1, 0), (0, 1))]) for each in (mean, expected))
        size = np.hypot(*steep)
        edge = (size > np.quantile(size, 0.9)) & (expected < -np.log(STARVED))
        shares.append(float((grown * steep).sum(axis=0)[edge].sum() / (size**2)[edge].sum()))
    return np.array(shares)


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
    for name in dict.fromkeys(name for pair in pairs for name in pair):
        values = np.array([pair[name] for pair in pairs if name in pair])
        low, high = np.quantile(values, (0.1, 0.9), axis=0)
        print(f"  {name}: " + ", ".join(f"{m:.2f} ({a:.2f}-{b:.2f})" for m, a, b in zip(np.median(values, axis=0), low, high, strict=True)))


if __name__ == "__main__":
    main()
