"""How well outlines of real photos are found: by the ground's colours (classic) and by a salient-object network.

    python benchmarks/photo_outlines.py --data ../shared/data

Truth: cut-outs drawn by people, which lie beside the photos at another scale; each is found in its photo by matching it at many scales,
and photos where one of them cannot be placed are left out. Where people drew only some of a photo's objects, the best of the found
objects counts. Prints mean and median IoU, the share of photos under 0.5, and CPU seconds a photo, for both halves of the photos.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from threatray.photos.intake import _objects
from threatray.photos.matte import matte
from threatray.photos.salience import packaged_model, salient_objects

_MOST_DIFFERENCE = 14.0
Place = tuple[float, float, tuple[int, int]]


def best_place(photo: NDArray[np.uint8], cut: NDArray[np.uint8], mask: NDArray[np.uint8], scales: NDArray[np.float64]) -> Place | None:
    """Root mean square difference, scale and corner where a cut-out fits its photo best; it may stand out a little."""
    found: Place | None = None
    inner = cv2.erode(mask, np.ones((7, 7), np.uint8)).astype(np.float32)
    for scale in scales:
        size = (round(mask.shape[1] * scale), round(mask.shape[0] * scale))
        if min(size) < 12:
            continue
        small = cv2.resize(cut, size, interpolation=cv2.INTER_AREA)
        weight = (cv2.resize(inner, size, interpolation=cv2.INTER_AREA) > 0.95).astype(np.float32)
        pad = int(max(size) * 0.04) + 2
        wide = cv2.copyMakeBorder(photo, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        if weight.sum() < 30 or size[0] > wide.shape[1] or size[1] > wide.shape[0]:
            continue
        error = cv2.matchTemplate(wide, small, cv2.TM_SQDIFF, mask=np.repeat(weight[..., None], 3, 2))
        row, column = np.unravel_index(int(np.argmin(error)), error.shape)
        difference = float(np.sqrt(max(float(error[row, column]), 0.0) / weight.sum() / 3))
        if found is None or difference < found[0]:
            found = (difference, float(scale), (int(row) - pad, int(column) - pad))
    return found


def truth_of(photo: NDArray[np.uint8], cut_outs: list[Path], masks: Path) -> NDArray[np.bool_] | None:
    """What people drew, at the photo's size; None where a cut-out cannot be placed."""
    truth = np.zeros(photo.shape[:2], np.bool_)
    shrink = 160 / max(photo.shape[:2])
    thumbnail = cv2.resize(photo, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    for path in cut_outs:
        cut = cv2.imread(str(path))
        mask = (cv2.imread(str(masks / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE) > 0).astype(np.uint8)
        rough = best_place(thumbnail, cut, mask, shrink * np.geomspace(0.25, 1.7, 64))
        place = rough and best_place(photo, cut, mask, rough[1] / shrink * np.linspace(0.97, 1.03, 13))
        if not place or place[0] > _MOST_DIFFERENCE:
            return None
        size = (round(mask.shape[1] * place[1]), round(mask.shape[0] * place[1]))
        whole = cv2.resize(mask.astype(np.float32), size) > 0.5
        top, left = place[2]
        rows, columns = np.nonzero(whole)
        rows, columns = rows + top, columns + left
        inside = (rows >= 0) & (columns >= 0) & (rows < truth.shape[0]) & (columns < truth.shape[1])
        truth[rows[inside], columns[inside]] = True
    return truth if cut_outs else None


def overlap(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """IoU of the whole mask or of its best object."""
    if not found.any():
        return 0.0
    return max(float((one & truth).sum() / (one | truth).sum()) for one in (found, *_objects(found)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    camera = parser.parse_args().data / "camera"
    network = packaged_model()
    ways = {"classic": None} if network is None else {"classic": None, "salient": salient_objects(str(network))}
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    unplaced = 0
    for path in sorted((camera / "photos").glob("*/*")):
        name = path.parent.name
        photo = cv2.imread(str(path))
        if photo is None:
            continue
        cuts = [
            cut for cut in sorted((camera / "crops" / name).iterdir())
            if cut.stem == path.stem or (cut.stem.startswith(path.stem + "_") and cut.stem[len(path.stem) + 1 :].isdigit())
        ]  # fmt: skip
        truth = truth_of(photo, cuts, camera / "masks" / name)
        if truth is None or not truth.any():
            unplaced += 1
            continue
        rgb = np.ascontiguousarray(photo[..., ::-1])
        for way, salience in ways.items():
            began = time.process_time()
            found = matte(rgb, salience=salience).mask
            results[way].append((overlap(found, truth), time.process_time() - began))
    print(f"{len(results['classic'])} photos with drawn truth, {unplaced} without")
    for way, rows in results.items():
        for half in (0, 1):
            overlaps = np.array([row[0] for row in rows[half::2]])
            seconds = np.mean([row[1] for row in rows[half::2]])
            print(
                f"{way}, half {half}: IoU mean {overlaps.mean():.3f}, median {np.median(overlaps):.3f}, "
                f"under 0.5: {100 * (overlaps < 0.5).mean():.1f} %; {seconds:.2f} CPU s a photo"
            )


if __name__ == "__main__":
    main()
