"""How well a palette calibrated from pictures alone gives back the energies, on phantom bags whose energies are known.

    python benchmarks/palette_phantom.py [--bags 24]

Calibrates on half of the bags, inverts the other half.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from threatray.core import Quantity, XrayImage, stream
from threatray.phantom.bags import pack_bag
from threatray.phantom.luggage import BagKind
from threatray.phantom.scanner import PhantomScanner
from threatray.physics.palette_calibration import LUMA, calibrate_palette
from threatray.physics.pseudo_colour import DEFAULT_PALETTE, GREY_AIR_PALETTE, ScannerPalette
from threatray.tip.colour import ColourTip

SIZE, PITCH_CM = (240, 320), 0.17


def exponential(palette: ScannerPalette) -> ScannerPalette:
    """The palette's colours under the laws that a calibration supposes: luma falls exponentially with the low-energy attenuation."""
    ends = [float(np.dot(end, LUMA)) for end in (palette.air, palette.black)]
    share = ends[1] / ends[0]
    depth = np.linspace(0, -np.log(share), 60)
    level = (np.exp(-depth) - share) / (1 - share)
    knots = ((0.0, 1.0), *zip(depth[1:-1].tolist(), level[1:-1].tolist(), strict=True), (float(depth[-1]), 0.0))
    return replace(palette, name=f"{palette.name}, exponential luma", lightness=knots, weights=LUMA)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bags", type=int, default=24)
    options = parser.parse_args()
    scanner = PhantomScanner()
    duals = []
    for number in range(options.bags):
        bag = pack_bag(SIZE, PITCH_CM, stream(number, "bag"), kind=list(BagKind)[number % len(BagKind)])
        duals.append(scanner.scan(bag.thickness_cm, scanner.draw(SIZE, stream(number, "scan"))))
    half = len(duals) // 2
    for screen in (exponential(DEFAULT_PALETTE), DEFAULT_PALETTE, GREY_AIR_PALETTE):
        pictures = [eight_bit(screen.render(dual)) for dual in duals]
        air = np.array(screen.air, np.float32) / 255
        found = calibrate_palette(pictures[:half], air, name="found")
        true = np.concatenate([dual.attenuation().values.reshape(2, -1) for dual in duals[half:]], axis=1)
        seen = np.concatenate(
            [ColourTip(found.palette).energies(picture).attenuation().values.reshape(2, -1) for picture in pictures[half:]], axis=1
        )
        known = (true[0] > 0.1) & (true[0] < 0.8 * min(found.palette.black_attenuation, screen.black_attenuation))
        low, high, ratio = true[0, known], true[1, known], (true[0] / np.maximum(true[1], 1e-3))[known]
        # A screen's unit of attenuation cannot be seen in its pictures: one factor is fitted.
        unit = float(np.median(low / np.maximum(seen[0, known], 1e-3)))
        errors = [np.abs(unit * seen[place, known] - truth) / truth for place, truth in enumerate((low, high))]
        by_ratio = np.abs(seen[0, known] / np.maximum(seen[1, known], 1e-3) - ratio) / ratio
        print(f"{screen.name}: off the sheet {found.off_palette:.1f} grey levels, unit {unit:.2f}, {int(known.sum())} pixels")
        for name, error in (("low", errors[0]), ("high", errors[1]), ("r", by_ratio)):
            print(f"    {name}: median error {np.median(error):.1%}, 90 % within {np.quantile(error, 0.9):.1%}")


def eight_bit(colour: XrayImage) -> XrayImage:
    return XrayImage((np.rint(colour.values * 255) / 255).astype(np.float32), Quantity.PSEUDO_COLOUR, colour.channels)


if __name__ == "__main__":
    main()
