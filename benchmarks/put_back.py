"""Real threats taken out of their bags and put back at the same place: what is lost on the way.

    python benchmarks/put_back.py --data ../shared/data

See ``realism.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from realism import Scan, dilated, opened

from threatray.core import COLOUR, Quantity, Sample, XrayImage
from threatray.core.annotations import Annotations
from threatray.core.image_file import read_pixels
from threatray.pipeline.palettes import ScannerPalettes
from threatray.tip.background import film_behind, harmonic_fill
from threatray.tip.bag import air_colour
from threatray.tip.colour import ColourTip
from threatray.tip.isolate import isolate
from threatray.tip.refusal import Refused


def put_back(scan: Scan, palettes: ScannerPalettes, masks: NDArray[np.bool_] | None) -> dict[str, float] | None:
    """PSNR inside the box of a threat that was taken out and put back: by energies and by channels, with three guesses of the bag behind.

    The plain guess is the soap film over the ring; the free one also meets the openings that the mask closes over (what ``isolate``
    does); the bounded one attenuates, in addition, no more than bag and threat together.
    """
    channels = scan.image.as_channel_transmission(scan.air)
    seen = isolate(Sample("s", channels, Annotations(np.array([scan.box], np.float32), ("t",), masks), "s"), 0)
    if isinstance(seen, Refused):
        return None
    tip = ColourTip(palettes.of(scan.air))
    energies = tip.energies(scan.image)
    x0, y0, x1, y1 = (round(edge) for edge in seen.box)
    mask = np.zeros(scan.image.size, np.bool_)
    mask[y0:y1, x0:x1] = seen.signature.mask
    window = np.s_[max(0, y0 - 40) : y1 + 40, max(0, x0 - 40) : x1 + 40]
    inside, original = mask[window], scan.pixels[window]
    pair = energies.attenuation().values[:, window[0], window[1]]
    three = np.minimum(channels.attenuation().values[:, window[0], window[1]], np.float32(np.log(255)))
    plain_pair, plain_three = (harmonic_fill(np.ascontiguousarray(each), dilated(inside, 1)) for each in (pair, three))
    free_pair, free_three = (film_behind(np.ascontiguousarray(each), dilated(inside, 1))[0] for each in (pair, three))
    left, top, right, bottom = (round(edge) for edge in scan.box)
    box = np.s_[max(0, top - window[0].start) : bottom - window[0].start, max(0, left - window[1].start) : right - window[1].start]
    found = {}
    for name, bag, bag3 in (
        ("plain", plain_pair, plain_three),
        ("free", free_pair, free_three),
        ("bounded", np.minimum(free_pair, pair), np.minimum(free_three, three)),
    ):
        shown = tip.palette.render(XrayImage(np.exp(-bag).astype(np.float32), Quantity.TRANSMISSION, energies.channels)).values
        empty = np.where(inside[..., None], np.rint(shown.transpose(1, 2, 0) * 255), original).astype(np.uint8)
        by_energy = tip.window(empty, (np.maximum(pair - bag, 0) * inside).astype(np.float32), tip.grain(original))
        levels = np.rint(np.exp(-bag3).transpose(1, 2, 0) * scan.air * 255)
        by_channel = np.where(inside[..., None], np.rint(levels * np.exp(-np.maximum(three - bag3, 0)).transpose(1, 2, 0)), original)
        for method, made in (("energy space", by_energy), ("channel-wise", by_channel)):
            found[f"{method}, {name} background"] = psnr(float(((made[box].astype(float) - original[box]) ** 2).mean()))
    return found


def psnr(error: float) -> float:
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def masked_scans(data: Path) -> Iterator[tuple[Scan, NDArray[np.bool_]]]:
    import cv2

    for path in sorted((data / "sixray_masks" / "images").glob("*")):
        values = read_pixels(path).transpose(2, 0, 1).astype(np.float32) / 255
        image = XrayImage(np.ascontiguousarray(values), Quantity.PSEUDO_COLOUR, COLOUR)
        drawn = read_pixels(data / "sixray_masks" / "masks" / f"{path.stem}.png")
        _, labels, stats, _ = cv2.connectedComponentsWithStats((drawn.reshape(*drawn.shape[:2], -1).max(axis=2) > 0).astype(np.uint8))
        largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
        x, y, width, height = (int(value) for value in stats[largest, :4])
        yield Scan(path, 0, "", (x, y, x + width, y + height), air_colour(image), "", 0, image), (labels == largest)[None]


def spread(values: list[float]) -> str:
    return f"mean {np.mean(values):.1f} dB, 5-95 % {np.quantile(values, 0.05):.1f}-{np.quantile(values, 0.95):.1f}, n {len(values)}"


def report(data: Path, found: list[Scan], palettes: ScannerPalettes, kinds: list[str]) -> None:
    for kind in kinds:
        chosen = list(masked_scans(data)) if kind == "given" else [(scan, None) for scan in found if scan.half == 1][::6]
        results = [result for scan, mask in chosen if (result := put_back(scan, palettes, mask)) is not None]
        for name in results[0]:
            print(f"put back, {kind} masks, {name}: {spread([result[name] for result in results])}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--every", type=int, default=2, help="use every so many-th scan; of the second half, every sixth of these")
    parser.add_argument("--kinds", nargs="*", default=["given", "guessed"], help="masks: given with the data, or guessed from boxes")
    options = parser.parse_args()
    report(options.data, *opened(options.data, options.every), options.kinds)


if __name__ == "__main__":
    main()
