"""CycleGAN against CUT and FastCUT on the phantom: at equal steps and at equal CPU time, beside three controls that cost nothing.

    threatray demo --size full --out demo     # its first stages are enough: phantom, photos, signatures
    python benchmarks/translators.py --run demo [--steps 500] [--seeds 2] [--threads 1] [--pictures FOLDER]

See ``translators.md`` beside it for what is done and what came out.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from threatray.core import OriginKind, Signature, derive, stream
from threatray.core.image_file import write_png
from threatray.metrics.encoder import DomainEncoder, EncoderConfig
from threatray.metrics.kid import kid
from threatray.metrics.paired import ssim_in_box
from threatray.photos.library import read_crops
from threatray.pipeline.canvases import canvases_of
from threatray.pipeline.stages.score_stage import _aligned, _controls, _load_all, _same_mix, _truths
from threatray.report.pictures import colour_view
from threatray.synthesis.config import NceConfig, TrainConfig
from threatray.synthesis.domain import DomainSet
from threatray.synthesis.health import DrawingHealth, StoppedDrawingError
from threatray.synthesis.sampling import PairSampler
from threatray.synthesis.threads import fixed_threads
from threatray.synthesis.translate import Translator
from threatray.synthesis.translator import make_translator


@dataclass(frozen=True)
class Data:
    """What a demo made: crops, real signatures, and the true X-ray of each photo, which no training sees."""

    crops: Mapping[str, Any]
    real: Sequence[Signature]
    truth: Path
    classes: tuple[str, ...]

    @classmethod
    def of(cls, run: Path) -> Data:
        crops = {crop.id: crop for crop in read_crops(run / "photos")}
        real = _load_all(run / "signatures", OriginKind.REAL)
        return cls(crops, real, run / "phantom" / "truth", tuple(sorted({crop.class_name for crop in crops.values()})))

    def domains(self, config: TrainConfig) -> tuple[DomainSet, DomainSet]:
        crops = [(crop.id, crop.pixels, crop.mask, crop.class_name) for crop in self.crops.values()]
        return (
            DomainSet.of_photos(crops, self.classes, config.size, pose=config.pose),
            DomainSet.of_signatures(self.real, self.classes, config.size, encoding=config.encoding, pose=config.pose),
        )


def trained(data: Data, config: TrainConfig, seed: int) -> tuple[Any, dict[str, float]]:
    """A model and what it cost; one that stops drawing is begun again with another seed, as the train stage does, and both are paid."""
    a, b = data.domains(config)
    began, lost = time.process_time(), 0
    while True:
        model = make_translator(config, data.classes, b.channels, seed=derive(seed, "attempt", lost) if lost else seed)
        health = DrawingHealth(a, b)
        start = time.process_time()
        try:
            model.fit(a, b, on_progress=lambda step, *_: health.look(model, step))  # noqa: B023
        except StoppedDrawingError:
            lost += 1
            continue
        now = time.process_time()
        return model, {"cpu_s": now - began, "ms_per_step": 1000 * (now - start) / config.steps, "given_up": lost}


def gflop(data: Data, config: TrainConfig) -> float:
    """Of one step, forward and backward of everything but R1, which comes every few steps and which torch's counter cannot follow."""
    config = replace(config, weights=replace(config.weights, r1_gamma=0.0))
    a, b = data.domains(config)
    model: Any = make_translator(config, data.classes, b.channels, seed=0)
    sampler = PairSampler(a, b, config.batch_size, config.augment, stream(0, "sampler"))
    with FlopCounterMode(display=False) as counter:
        model._advance(sampler.apply(sampler.draw()))
    return counter.get_total_flops() / 1e9


def order_is_right(made: NDArray[Any], true: NDArray[Any], mask: NDArray[np.bool_]) -> bool | None:
    """Whether the part that truly absorbs most absorbs more than the part that does least; None where the object has no two such parts.

    The parts are the upper and the lower third of the true low-energy attenuation, two pixels away from the silhouette's edge.
    """
    import cv2

    inner = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0).astype(bool)
    if inner.sum() < 60:
        return None
    attenuation, drawn = -np.log(true[0]), -np.log(made[0])
    low, high = np.quantile(attenuation[inner], [1 / 3, 2 / 3])
    light, dense = inner & (attenuation <= low), inner & (attenuation >= high)
    if attenuation[dense].mean() < 2 * attenuation[light].mean():
        return None
    return bool(drawn[dense].mean() > drawn[light].mean())


class Judge:
    """The same features, references and objects for every arm."""

    def __init__(self, data: Data, config: TrainConfig) -> None:
        self.data = data
        self._like: Any = SimpleNamespace(config=config, class_names=data.classes)
        known = canvases_of(data.real, self._like)
        settings = EncoderConfig(steps=400, threads=config.threads)
        self._encoder = DomainEncoder.train(known.transmission, known.class_index, data.classes, seed=0, config=settings)

    def of(self, name: str, made: Sequence[Signature]) -> dict[str, Any]:
        truths = _truths(self.data.truth, made)
        first, second = _same_mix(made, [truths[one.id] for one in made if one.id in truths], stream(0, "mix"))
        features = [self._encoder.features(canvases_of(some, self._like).transmission) for some in (first, second)]
        distance = kid(*features, extractor=self._encoder.name, rng=stream(0, "subsets"))
        similar, order = [], []
        for one in made:
            if one.id in truths:
                drawn, true, _ = _aligned(one, truths[one.id])
                similar.append(ssim_in_box(drawn, true, np.ones(true.shape[1:], np.bool_)))
                order.append(order_is_right(drawn, true, true.min(0) < 0.98))
        judged = [each for each in order if each is not None]
        return {
            "arm": name,
            "kid": distance.value,
            "ssim": float(np.mean(similar)),
            "order": float(np.mean(judged)),
            "n_order": len(judged),
        }


def signatures_of(model: Any, data: Data) -> list[Signature]:
    crops = list(data.crops.values())
    return Translator.of(model).signatures(
        [(crop.pixels, crop.mask, crop.class_name) for crop in crops],
        [(crop.id, crop.source_id, crop.source_id, crop.provenance) for crop in crops],
    )


def strip(path: Path, data: Data, arms: Mapping[str, Sequence[Signature]]) -> None:
    """Rows: photo, each arm in order, truth; columns: two photos of each class."""
    import cv2

    def tile(pixels: NDArray[Any]) -> NDArray[np.uint8]:
        scale = 110 / max(pixels.shape[:2])
        small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        canvas = np.full((116, 116, 3), 255, np.uint8)
        canvas[3 : 3 + small.shape[0], 3 : 3 + small.shape[1]] = small
        return canvas

    some = next(iter(arms.values()))
    truths = _truths(data.truth, some)
    shown = [one.id for label in data.classes for one in [each for each in some if each.class_name == label and each.id in truths][:2]]
    rows = [[tile(data.crops[name].pixels) for name in shown]]
    for members in [*arms.values(), list(truths.values())]:
        by_id = {one.id: one for one in members} if members is not None else {}
        rows.append([tile(colour_view((by_id[name] if name in by_id else truths[name]).image)) for name in shown])
    write_png(path, np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--arms", default="cyclegan,cut,fastcut,fastcut*", help="a star: as many steps as cyclegan's CPU time allows; @N: N steps"
    )
    parser.add_argument("--nce", default="{}", help="JSON of NceConfig")
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    data = Data.of(options.run)
    base = TrainConfig(steps=options.steps, threads=options.threads, nce=NceConfig(**json.loads(options.nce)))
    with fixed_threads(options.threads):
        judge = Judge(data, base)
        costs = {name: gflop(data, replace(base, translator=name)) for name in ("cyclegan", "cut", "fastcut")}
        print(json.dumps({"gflop_per_step": {name: round(value, 2) for name, value in costs.items()}}), flush=True)
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            drawn: dict[str, list[Signature]] = {}
            per_step: dict[str, float] = {}
            for arm in options.arms.split(","):
                name, _, given = arm.rstrip("*").partition("@")
                steps = int(given or options.steps)
                if arm.endswith("*"):
                    steps = round(steps * per_step["cyclegan"] / per_step[name])
                model, cost = trained(data, replace(base, translator=name, steps=steps), seed)
                per_step[name] = cost["ms_per_step"]
                drawn[arm] = signatures_of(model, data)
                print(json.dumps({"seed": seed, "steps": steps, **judge.of(arm, drawn[arm]), **cost}), flush=True)
            if seed == 0:
                for name, members in _controls(drawn[arm], data.crops, data.real).items():
                    print(json.dumps(judge.of(name, members)), flush=True)
            if options.pictures:
                strip(options.pictures / f"translators_seed{seed}.png", data, drawn)


if __name__ == "__main__":
    main()
