"""Noise inside composites of counts against the truth's, with and without ``NoiseMatch``, on the phantom.

    python benchmarks/noise_match.py [--pairs 24]

The truth is a scan of the bag with the threat in it; composites are made of a scan of the bag alone and of the threat's transmission,
either free of noise (as translated and rendered ones are) or taken out of a scan of another bag. See ``noise_match.md``.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from threatray.phantom.bags import pack_bag
from threatray.phantom.dataset import make, object_thickness
from threatray.phantom.pose import draw_pose
from threatray.phantom.raster import Frame
from threatray.phantom.scanner import GREY_LEVELS, PhantomScanner
from threatray.physics.noise import detector_blur
from threatray.tip.match import NoiseMatch, photon_noise

SIZE, PITCH_CM = (220, 300), 0.2
FEWEST = 150
AIR = np.full(2, GREY_LEVELS, np.float32)


def one_pair(seed: int) -> dict[str, tuple[NDArray[Any], NDArray[Any]]] | None:
    """Method -> noise as a share of the truth's, and the k that is measured inside; (2,) each, low and high energy."""
    import cv2

    rng, scanner = np.random.default_rng(seed), PhantomScanner()
    home, away = pack_bag(SIZE, PITCH_CM, rng).thickness_cm, pack_bag(SIZE, PITCH_CM, rng).thickness_cm
    frame = Frame(SIZE, PITCH_CM, (-SIZE[1] * PITCH_CM / 2, SIZE[0] * PITCH_CM / 2))
    threat, mask = object_thickness(make(("gun", "knife")[seed % 2], rng), draw_pose(rng, tilt_sigma=0.1), frame)
    core = cv2.erode(mask.astype(np.uint8), np.ones((3, 3))) > 0
    if core.sum() < FEWEST:
        return None

    def with_threat(bag: Any) -> dict[str, Any]:
        return {name: bag.get(name, 0) + threat.get(name, 0) for name in {*bag, *threat}}

    def scanned(thickness: Any) -> NDArray[np.float32]:
        return scanner.scan(thickness, scanner.draw(SIZE, rng)).values

    def expected(thickness: Any) -> NDArray[np.float32]:
        return detector_blur(scanner.ideal(thickness), scanner.blur_sigma_px).values

    def noise(levels: NDArray[Any], reference: NDArray[Any]) -> NDArray[Any]:
        share = levels / GREY_LEVELS / reference - 1
        return np.array([np.std((plane - cv2.blur(plane, (3, 3)))[core]) for plane in share])

    bag, truth = (np.rint(scanned(thickness) * GREY_LEVELS).astype(np.uint16) for thickness in (away, with_threat(away)))
    clean = np.where(mask, expected(threat), 1).astype(np.float32)
    own = np.where(mask, np.clip(scanned(with_threat(home)) / expected(home), 1e-4, 1), 1).astype(np.float32)
    found = {"truth": (np.ones(2), photon_noise(truth, AIR, mask))}
    for name, transmission in (("noise-free signature", clean), ("scanned signature", own)):
        made = np.rint(bag * transmission.astype(np.float64)).astype(np.uint16)
        matched = NoiseMatch(AIR, photon_noise(bag, AIR))(bag, made, transmission, np.random.default_rng(seed))
        for how, levels in (("", made), (", matched", matched)):
            share = noise(levels, expected(away) * clean) / noise(truth, expected(with_threat(away)))
            found[name + how] = (share, photon_noise(levels, AIR, mask))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=24)
    pairs = [found for seed in range(parser.parse_args().pairs) if (found := one_pair(seed)) is not None]
    for name in pairs[0]:
        share, measured = (np.array([pair[name][number] for pair in pairs]) for number in (0, 1))
        low, high = np.median(share, axis=0)
        ends = np.quantile(share, (0.1, 0.9))
        k = np.median(measured, axis=0)
        print(f"{name}: noise {low:.2f}, {high:.2f} of the truth's ({ends[0]:.2f}-{ends[1]:.2f}); k measured inside {k[0]:.4f}, {k[1]:.4f}")
    scanner = PhantomScanner()
    print(f"{len(pairs)} pairs; the scanner's own k: {', '.join(f'{photons**-0.5:.4f}' for photons in scanner.photons_per_pixel)}")


if __name__ == "__main__":
    main()
