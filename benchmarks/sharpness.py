"""What matching blur and JPEG grid to the bag would gain, on the phantom: error at a threat's rim, and blocks inside it.

    python benchmarks/sharpness.py [--pairs 12]

See *Sharpness and JPEG grid* in ``compose.md``.
"""

from __future__ import annotations

import argparse
import io
from itertools import product
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from threatray.core import COLOUR, DUAL_ENERGY, Origin, OriginKind, Quantity, Signature, XrayImage
from threatray.core.annotations import box_of_mask
from threatray.phantom.bags import pack_bag
from threatray.phantom.dataset import make, object_thickness
from threatray.phantom.pose import draw_pose
from threatray.phantom.raster import Frame
from threatray.phantom.scanner import PhantomScanner
from threatray.physics.noise import detector_blur
from threatray.tip.colour import ColourTip
from threatray.tip.compose import CompositeParams, Insertion
from threatray.tip.levels import EnergyLaw, StoredScan, compose_levels
from threatray.tip.vary import VariationParams, vary

QUALITY = 85
FEWEST = 400
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def signature(image: XrayImage, mask: NDArray[np.bool_]) -> Signature:
    values = np.where(mask, image.values, 1).astype(np.float32)
    return Signature("t", XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY), mask, "t", Origin(OriginKind.RENDERED, "t", "t"))


def scene(seed: int, size: tuple[int, int], pitch_cm: float, finer: int = 1) -> tuple[Any, Any, Any, NDArray[np.bool_]]:
    """A bag, a threat, both together as thickness, and the threat's mask; the threat also on a finer grid."""
    rng = np.random.default_rng(seed)
    bag = pack_bag(size, pitch_cm, rng).thickness_cm
    thing, pose = make(("gun", "knife")[seed % 2], rng), draw_pose(rng, tilt_sigma=0.1)
    corner = (-size[1] * pitch_cm / 2, size[0] * pitch_cm / 2)
    one, mask = object_thickness(thing, pose, Frame(size, pitch_cm, corner))
    fine, mask = (
        (one, mask) if finer == 1 else object_thickness(thing, pose, Frame((size[0] * finer, size[1] * finer), pitch_cm / finer, corner))
    )
    return bag, fine, {name: bag.get(name, 0) + one.get(name, 0) for name in {*bag, *one}}, mask


def rim_errors(seed: int, scanner_blur: float, finer: int, blurs: tuple[float, ...]) -> list[float]:
    """RMS error of the transmission within two pixels of the outline, of an unblurred signature blurred by each of ``blurs``."""
    size, pitch, scanner = (300, 400), 0.13, PhantomScanner()
    bag, threat, both, mask = scene(seed, size, pitch, finer)
    truth = detector_blur(scanner.ideal(both), scanner_blur).values
    behind = detector_blur(scanner.ideal(bag), scanner_blur).values
    small = cv2.resize(mask.astype(np.uint8), size[::-1], interpolation=cv2.INTER_AREA)
    rim = (cv2.dilate(small, np.ones((5, 5))) > 0) & ~(cv2.erode(small, np.ones((5, 5))) > 0)
    thing, x0, y0 = signature(scanner.ideal(threat), mask), *(edge / finer for edge in box_of_mask(mask)[:2])
    found = []
    for blur in blurs:
        varied = vary(thing, VariationParams(scale=1 / finer, blur_px=blur))
        (height, width), reach, errors = varied.mask.shape, int(np.ceil(3 * blur)) + 3, [np.inf]
        for y, x in product(range(int(y0) - reach, int(y0) + 3), range(int(x0) - reach, int(x0) + 3)):  # the best place is right
            if 0 <= y <= size[0] - height and 0 <= x <= size[1] - width:
                window = np.s_[:, y : y + height, x : x + width]
                made = behind[window] * varied.image.values
                outside = np.square((behind - truth)[:, rim]).sum() - np.square((behind - truth)[window][:, rim[window[1:]]]).sum()
                errors.append(outside + np.square((made - truth[window])[:, rim[window[1:]]]).sum())
        found.append(float(np.sqrt(min(errors) / (2 * rim.sum()))))
    return found


def jpeg(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "JPEG", quality=QUALITY, subsampling=2)
    return np.asarray(Image.open(buffer).convert("RGB"))


def blockiness(pixels: NDArray[np.uint8], core: NDArray[np.bool_]) -> float:
    """Mean step of luma over the columns of the 8-pixel grid, as a share of that between other columns."""
    steps, inside = np.abs(np.diff(pixels @ LUMA, axis=1)), core[:, 1:] & core[:, :-1]
    grid = np.arange(steps.shape[1]) % 8 == 7
    return float(steps[:, grid][inside[:, grid]].mean() / steps[:, ~grid][inside[:, ~grid]].mean())


def blocks(seed: int) -> list[float] | None:
    """Blockiness of a scan of bag and threat stored as JPEG, of a composite stored like its bag, and of one stored without loss."""
    size, pitch, scanner = (600, 800), 0.065, PhantomScanner()
    bag, threat, both, mask = scene(seed, size, pitch)
    core = cv2.erode(mask.astype(np.uint8), np.ones((5, 5))) > 0
    if core.sum() < FEWEST:
        return None
    rng = np.random.default_rng(seed)

    def shown(thickness: Any) -> NDArray[np.uint8]:
        scan = scanner.colour(scanner.scan(thickness, scanner.draw(size, rng)))
        return jpeg(np.rint(scan.values * 255).astype(np.uint8).transpose(1, 2, 0))

    stored, law = StoredScan(shown(bag).transpose(2, 0, 1), COLOUR), EnergyLaw(ColourTip(scanner.palette))
    thing = signature(detector_blur(scanner.ideal(threat), scanner.blur_sigma_px), mask)
    x, y = (int(edge) for edge in box_of_mask(mask)[:2])
    params = CompositeParams("b", (Insertion("t", VariationParams(), x, y),), seed, law.photon(stored.levels, np.full(3, 255, np.float32)))
    made = compose_levels(stored, params, lambda _: thing, law).levels.transpose(1, 2, 0)
    return [blockiness(each, core) for each in (shown(both), jpeg(made), made)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=12)
    pairs = range(parser.parse_args().pairs)
    blurs = (0.0, 0.5, 1.0, 1.5)
    for scanner_blur in (0.6, 1.5):
        for finer in (1, 2):
            errors = np.median([rim_errors(seed, scanner_blur, finer, blurs) for seed in pairs], axis=0)
            shown = ", ".join(f"{blur} px {error:.4f}" for blur, error in zip(blurs, errors, strict=True))
            print(f"scanner blur {scanner_blur} px, signature scaled by {1 / finer:.2g} and blurred: rim error {shown}", flush=True)
    found = np.median([each for seed in pairs if (each := blocks(seed)) is not None], axis=0)
    names = ("scan of both", "composite as the bag was stored", "composite without loss")
    print("blocks, " + ", ".join(f"{name} {value:.3f}" for name, value in zip(names, found, strict=True)))


if __name__ == "__main__":
    main()
