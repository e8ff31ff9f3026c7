"""Draw the pictures of docs/training.md from a demo's folder: ``python tools/training_pictures.py DEMO [--training FOLDER]``.

DEMO holds ``photos`` and ``signatures`` of the phantom, FOLDER a training on them with examinations (``DEMO/train`` if not given). The
healthy strip is that training's own; each disease is put into it on purpose, by the construction that the tests use, and its figure is
what the detector says of it. Only phantom data may be drawn: the tool refuses photos of any other source.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from threatray.core import OriginKind, Quantity, XrayImage
from threatray.core.image_file import write_png
from threatray.photos.library import INDEX_NAME, read_crops
from threatray.pipeline.stages.train_stage import CHECKPOINT, chosen_checkpoint
from threatray.report.pictures import colour_view
from threatray.synthesis.diseases import checkerboard, draws_nothing, memorised, mode_collapse, steganography
from threatray.synthesis.domain import DomainSet
from threatray.synthesis.findings import HealthLimits
from threatray.synthesis.step import CycleGanNets
from threatray.synthesis.translate import Translator
from threatray.tip.library import SignatureLibrary

OUT = Path(__file__).resolve().parents[1] / "docs" / "training"
COUNT, SCALE, GAP = 8, 2, 6
LIMITS = HealthLimits()


class Drawing(torch.nn.Module):
    """A generator from a function of the X-ray, on air."""

    def __init__(self, draw) -> None:
        super().__init__()
        self.draw = draw

    def forward(self, image, mask, classes):
        return 1 + mask * (self.draw(image) - 1)


class Strips:
    """Rows of pictures on white."""

    def __init__(self, translator: Translator) -> None:
        self._translator, self._rows = translator, []

    def photos(self, encoded: torch.Tensor) -> Strips:
        return self._add(list(np.round((encoded.numpy() + 1) * 127.5).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)))

    def xrays(self, encoded: torch.Tensor) -> Strips:
        made = self._translator.config.encoding.decode(encoded).clamp(0, 1).numpy().astype(np.float32)
        return self._add([colour_view(XrayImage(values, Quantity.TRANSMISSION, self._translator.channels)) for values in made])

    def write(self, name: str) -> None:
        width = self._rows[0].shape[1]
        gap = np.full((GAP, width, 3), 255, np.uint8)
        page = np.concatenate([part for row in self._rows for part in (row, gap)][:-1])
        write_png(OUT / f"{name}.png", page.repeat(SCALE, axis=0).repeat(SCALE, axis=1))

    def _add(self, pictures: Sequence[np.ndarray]) -> Strips:
        self._rows.append(np.concatenate([np.pad(one, ((0, 0), (0, GAP), (0, 0)), constant_values=255) for one in pictures], axis=1))
        return self


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", type=Path)
    parser.add_argument("--training", type=Path)
    options = parser.parse_args()
    training = options.training or options.demo / "train"
    if missing := _missing(options.demo, training):
        parser.error(missing)
    translator = Translator.load(chosen_checkpoint(training))
    config = translator.config
    crops = read_crops(options.demo / "photos")
    if any(crop.provenance.source != "threatray phantom" for crop in crops):
        parser.error(f"{options.demo}: only photos of the phantom may be drawn")
    library = SignatureLibrary.open(options.demo / "signatures")
    real = [library.load(name) for name in library.select(kind=OriginKind.REAL).ids()]
    names = translator.class_names
    photos = DomainSet.of_photos([(one.id, one.pixels, one.mask, one.class_name) for one in crops], names, config.size, pose=config.pose)
    photos = photos.part(np.linspace(0, len(photos) - 1, min(len(photos), 72)).round().astype(np.int64))
    signatures = DomainSet.of_signatures(real, names, config.size, encoding=config.encoding, pose=config.pose)
    image, mask = photos.tensors[:, :-1], photos.tensors[:, -1:]
    with torch.no_grad():
        healthy = torch.cat(
            [
                1 + m * (translator.generator.inside(i, m, c) - 1)
                for i, m, c in zip(image.split(32), mask.split(32), photos.class_index.split(32), strict=True)
            ]
        )
    shown = torch.from_numpy(np.linspace(3, len(photos) - 4, COUNT).round().astype(np.int64))
    figures: dict[str, object] = {}
    made = 1 - 0.02 * (1 - healthy)
    figures["draws_nothing"] = draws_nothing(made, mask, signatures, LIMITS).as_json()
    Strips(translator).photos(image[shown]).xrays(healthy[shown]).write("healthy")
    Strips(translator).photos(image[shown]).xrays(made[shown]).write("draws_nothing")

    first = {int(index): int(torch.nonzero(photos.class_index == index)[2, 0]) for index in photos.class_index.unique()}
    copies = torch.stack([_filled(healthy[first[int(index)]], mask[first[int(index)]]) for index in photos.class_index])
    made = 1 + mask * (copies - 1)
    figures["mode_collapse"] = mode_collapse(made, photos, signatures, LIMITS).as_json()
    same = torch.nonzero(photos.class_index == photos.class_index[shown[0]])[:COUNT, 0]
    Strips(translator).photos(image[same]).xrays(made[same]).write("mode_collapse")

    nearest = []
    for place, index in enumerate(photos.class_index.tolist()):
        pool = np.flatnonzero(signatures.class_index.numpy() == index)
        one = signatures.tensors[pool[place % len(pool)]]
        nearest.append(_filled(one[:-1], one[-1:]))
    made = 1 + mask * (torch.stack(nearest) - 1)
    figures["memorised"] = memorised(made, photos, signatures, None, LIMITS).as_json()
    targets = torch.stack(
        [signatures.tensors[(pool := np.flatnonzero(signatures.class_index.numpy() == int(photos.class_index[p])))[int(p) % len(pool)], :-1]
         for p in shown]
    )  # fmt: skip
    Strips(translator).photos(image[shown]).xrays(made[shown]).xrays(targets).write("memorised")

    small = functional.avg_pool2d(healthy, 2)
    kernel = torch.full((healthy.shape[1], 1, 3, 3), 1 / 2.25)
    grid = functional.conv_transpose2d(small, kernel, stride=2, padding=1, output_padding=1, groups=healthy.shape[1]).clamp(-1, 1)
    made = 1 + mask * (grid - 1)
    figures["checkerboard"] = checkerboard(made, mask, signatures, LIMITS).as_json()
    Strips(translator).photos(image[shown]).xrays(made[shown]).write("checkerboard")

    grey = image.mean(1, keepdim=True)
    flat = torch.stack([(healthy[photos.class_index == index]).mean() for index in photos.class_index]).view(-1, 1, 1, 1)
    hidden = 1 + mask * ((flat + 0.02 * grey).repeat(1, healthy.shape[1], 1, 1) - 1)
    seek = Drawing(lambda x: ((x[:, :1] - flat[: len(x)]) / 0.02).clamp(-1, 1).repeat(1, 3, 1, 1))
    nets = CycleGanNets(gen_ab=seek, gen_ba=seek, disc_a=seek, disc_b=seek)
    figures["steganography"] = steganography(nets, hidden, photos, LIMITS, seed=0).as_json()
    noise = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(0)) * LIMITS.noise * mask
    clean, noisy = seek(hidden, mask, None), seek(hidden + noise, mask, None)
    strips = Strips(translator).photos(image[shown]).xrays(hidden[shown]).photos(clean[shown])
    strips.photos(noisy[shown]).write("steganography")

    for name, finding in figures.items():
        print(f"{name}: {finding['figure']} (limit {finding['limit']}): {finding['verdict']}")
    _curves(training)


def _missing(demo: Path, training: Path) -> str | None:
    """What is not there that the pictures need, said before the first is overwritten."""
    for path, maker in ((demo / "photos" / INDEX_NAME, "photos"), (demo / "signatures" / INDEX_NAME, "signatures")):
        if not path.is_file():
            return f"{path}: missing. DEMO is a folder of `threatray demo`, with what its stage {maker} made."
    for name in (CHECKPOINT, "train.json"):
        if not (training / name).is_file():
            return f"{training / name}: missing. Give a finished training with --training, or a demo with one."
    if not json.loads((training / "train.json").read_text()).get("validation") or not (training / "validation.jsonl").is_file():
        return (
            f"{training}: was not examined while it trained, so there is no curve to draw. Train with --validation.every 100: "
            f"threatray train --photos {demo / 'photos'} --signatures {demo / 'signatures'} --validation.every 100 --out FOLDER, "
            "and give it with --training FOLDER."
        )
    return None


def _filled(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """A picture whose inside goes on outside it, so that it can be laid into another silhouette."""
    inside = (mask > 0.9).float()
    value, weight = values * inside, inside.clone()
    for _ in range(values.shape[-1]):
        near = functional.avg_pool2d(weight[None], 3, 1, 1)[0]
        spread = functional.avg_pool2d(value[None], 3, 1, 1)[0] / near.clamp(min=1e-6)
        value = torch.where(weight > 0, value, torch.where(near > 0, spread, value))
        weight = torch.where(near > 0, torch.ones_like(weight), weight)
    return value


def _curves(training: Path) -> None:
    """FID and silhouettes of held-back objects and SSIM to the truth over the steps, the chosen state marked."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    rows = [json.loads(line) for line in (training / "validation.jsonl").read_text().splitlines()]
    best = json.loads((training / "train.json").read_text())["validation"]["best_step"]
    shown = [key for key in ("fid", "silhouette_iou", "ssim") if key in rows[0]]
    titles = {"fid": "FID, held-back objects", "silhouette_iou": "silhouette IoU", "ssim": "SSIM to the true X-ray"}
    page, axes = plt.subplots(1, len(shown), figsize=(3.4 * len(shown), 2.6), dpi=100, layout="constrained")
    for axis, key in zip(np.atleast_1d(axes), shown, strict=True):
        axis.plot([row["step"] for row in rows], [row[key] for row in rows], "o-", color="#0072b2", markersize=3.5)
        axis.axvline(best, color="#d55e00", linestyle="--", linewidth=1)
        axis.set_title(titles[key], fontsize=10)
        axis.set_xlabel("step")
        axis.spines[["top", "right"]].set_visible(False)
    page.savefig(OUT / "validation.png", metadata={"Software": None})


if __name__ == "__main__":
    main()
