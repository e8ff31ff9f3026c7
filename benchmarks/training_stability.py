"""How often a training ends in drawing nothing, and how good those are that do not: seeds x configurations on the phantom.

    python benchmarks/training_stability.py prepare --phantom-seed 7
    python benchmarks/training_stability.py run --configurations default --seeds 16 --steps 400
    python benchmarks/training_stability.py run --configurations default --seeds 3 --steps 1200 --pictures FOLDER
    python benchmarks/training_stability.py table

Everything is kept in ``--cache``; a run that was made is not made again. See ``training_stability.md`` beside it for what came out.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from threatray.core import DUAL_ENERGY, BoolArray, FloatArray, Quantity, XrayImage
from threatray.core.image_file import write_png
from threatray.metrics.encoder import DomainEncoder, EncoderConfig
from threatray.metrics.kid import kernel_distance
from threatray.metrics.paired import ssim_in_box
from threatray.phantom.bags import object_thickness
from threatray.phantom.dataset import JobKind, PhantomConfig, plan, render_photo, render_scan
from threatray.phantom.objects import make
from threatray.phantom.pose import draw_pose
from threatray.phantom.raster import Frame as PhotoFrame
from threatray.phantom.scanner import GREY_LEVELS
from threatray.photos.matte import matte
from threatray.physics.materials import linear_attenuation, material
from threatray.pipeline.stages.signatures_stage import DARKEST_LEVELS
from threatray.report.pictures import colour_view
from threatray.synthesis.config import Adversarial, TrainConfig
from threatray.synthesis.domain import PHOTO_CHANNELS, DomainSet, photo_tensor
from threatray.synthesis.framing import Frame
from threatray.synthesis.train import CycleGan
from threatray.tip.isolate import IsolateConfig, isolate
from threatray.tip.refusal import Refused

LABELLED = {"gun": 80, "knife": 48, "scissors": 24, "wrench": 14, "pliers": 8, "hammer": 4}
CLASSES = tuple(sorted(LABELLED))
PHOTOS, HELD_BACK = 50, 24
SIZE = 64
LEAST_QUALITY = 0.3
LEAST_REGION = 0.04
LEAST_DIFFERENCE = 0.05
JUDGED = (("kid", 2), ("ssim", 3), ("order", 3), ("r_error", 3))
SETTLED = 3
"""Shares of the first 60 steps are those of a start, and do not count."""


@dataclass(frozen=True, eq=False)
class Data:
    """What a configuration is tried on; ``truth`` and ``region`` lie in the photos' own frames and are never trained on."""

    photos: DomainSet
    signatures: DomainSet
    held_back: DomainSet
    truth: torch.Tensor
    region: torch.Tensor


def prepare(seed: int, path: Path) -> Data:
    """The demo's phantom as tensors, with more scans held back for judging; made once."""
    if path.is_file():
        kept = torch.load(path, weights_only=True)
        channels = {"photos": PHOTO_CHANNELS, "signatures": DUAL_ENERGY, "held_back": DUAL_ENERGY}
        known = {
            name: DomainSet(kept[f"{name}.tensors"], kept[f"{name}.classes"], tuple(kept[f"{name}.ids"]), CLASSES, channels[name])
            for name in channels
        }
        return Data(**known, truth=kept["truth"], region=kept["region"])
    config = PhantomConfig(
        labelled=LABELLED,
        benign=0,
        validation_benign=0,
        test_benign=0,
        test_threat_per_class=0,
        validation_threat_per_class=HELD_BACK,
        photos_per_class=PHOTOS,
    )
    jobs = plan(config, seed)
    found: dict[JobKind, list[Any]] = {JobKind.LABELLED: [], JobKind.VALIDATION: []}
    rows = []
    encoding, pose = TrainConfig().encoding, TrainConfig().pose
    limits = IsolateConfig(darkest=DARKEST_LEVELS / GREY_LEVELS)  # these scans have 16 bits
    for place, job in enumerate(jobs):
        if place % 100 == 0:
            print(f"{place} of {len(jobs)}", flush=True)
        if job.kind is not JobKind.PHOTO:
            taken = isolate(render_scan(job, config).sample, 0, limits)
            if not isinstance(taken, Refused) and taken.quality >= LEAST_QUALITY:
                found[job.kind].append(taken.signature)
            continue
        photo = render_photo(job, config)
        coded = cv2.imencode(".jpg", photo.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        pixels = np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])
        outline = matte(pixels, None)
        if outline.quality < 0.5 or not 0.02 <= outline.mask.mean() <= 0.9:
            continue
        mask = largest(outline.mask)
        frame = Frame.of(mask, SIZE, pose=pose)
        truth = encoding.encode(photo.truth.image.values) - 1.0
        rows.append(
            (
                job.id,
                CLASSES.index(job.class_name),
                photo_tensor(pixels, mask, SIZE, pose=pose),
                1.0 + frame.to_canvas(truth.transpose(1, 2, 0), fill=0.0).transpose(2, 0, 1),
                regions(job, config, frame),
            )
        )
    photos = DomainSet(
        torch.from_numpy(np.stack([row[2] for row in rows])),
        torch.tensor([row[1] for row in rows]),
        tuple(row[0] for row in rows),
        CLASSES,
        PHOTO_CHANNELS,
    )
    sets = {"photos": photos} | {
        name: DomainSet.of_signatures(found[kind], CLASSES, SIZE, encoding=encoding, pose=pose)
        for name, kind in (("signatures", JobKind.LABELLED), ("held_back", JobKind.VALIDATION))
    }
    kept = {
        f"{name}.{what}": value
        for name, one in sets.items()
        for what, value in (("tensors", one.tensors), ("classes", one.class_index), ("ids", list(one.ids)))
    }
    kept |= {"truth": torch.from_numpy(np.stack([row[3] for row in rows])), "region": torch.from_numpy(np.stack([row[4] for row in rows]))}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(kept, path)
    return prepare(seed, path)


def largest(mask: BoolArray) -> BoolArray:
    """The largest piece of a mask."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()))


def regions(job: Any, config: PhantomConfig, frame: Frame) -> NDArray[np.int64]:
    """(S, S): 0 outside, else 1 + the place of the material that stops most along the ray, at 60 keV."""
    from threatray.core import stream

    thing, rng = make(job.class_name, stream(job.seed, "individual")), stream(job.seed, "photo")
    pose = draw_pose(rng, tilt_sigma=0.1)  # as render_photo draws
    points = pose.place(thing.mesh.vertices)
    low, high = points.min(axis=0), points.max(axis=0)
    span = float(max(high[:2] - low[:2]))
    pitch = span / (config.photo_size * rng.uniform(0.72, 0.92))
    middle = (low + high)[:2] / 2 + rng.uniform(-0.02, 0.02, 2) * span
    half = config.photo_size * pitch / 2
    window = PhotoFrame((config.photo_size, config.photo_size), pitch, (float(middle[0] - half), float(middle[1] + half)))
    thickness, covered = object_thickness(thing, pose, window)
    energy = np.array([60.0])
    stops = [linear_attenuation(material(name), energy)[0] * lengths for name, lengths in sorted(thickness.items())]
    canvas = np.stack([frame.to_canvas(one[..., None].astype(np.float32), fill=0.0)[..., 0] for one in stops])
    inside = frame.to_canvas(covered[..., None].astype(np.float32), fill=0.0)[..., 0] > 0.9
    return np.where(inside, 1 + canvas.argmax(axis=0), 0)


def order_right(made: torch.Tensor, data: Data) -> list[tuple[bool, int]]:
    """Whether an object's regions of different material have the order of mean transmission that they have in truth; with its class.

    Objects of one material, and pairs of regions whose true means differ by less than ``LEAST_DIFFERENCE``, say nothing and are left out.
    """
    verdicts = []
    for place in range(len(data.photos)):
        region = data.region[place]
        area = int((region > 0).sum())
        inside = [region == index for index in range(1, int(region.max()) + 1)]
        inside = [one for one in inside if int(one.sum()) >= LEAST_REGION * area]
        pairs = []
        for i, first in enumerate(inside):
            for second in inside[i + 1 :]:
                true = float(data.truth[place][:, first].mean() - data.truth[place][:, second].mean()) / 2
                if abs(true) >= LEAST_DIFFERENCE:
                    pairs.append(true * float(made[place][:, first].mean() - made[place][:, second].mean()) > 0)
        if pairs:
            verdicts.append((all(pairs), int(data.photos.class_index[place])))
    return verdicts


def r_error(made: torch.Tensor, truth: torch.Tensor, mask: torch.Tensor) -> float:
    """Mean error of low over high attenuation, which tells materials apart, where the truth attenuates by at least 0.1."""
    ours, true = (-one.clamp(1e-4, 1.0).log() for one in (made, truth))
    counted = (mask > 0.9) & (true[:, 1] > 0.1)
    made_r, true_r = (one[:, 0] / one[:, 1].clamp(min=0.02) for one in (ours, true))
    return float((made_r - true_r).abs()[counted].mean())


def drawn_share(model: CycleGan, data: Data) -> float:
    """What the generator draws of every eighth photo, as a share of what real signatures hold; the measure of ``DrawingHealth``."""
    some, classes = data.photos.tensors[::8], data.photos.class_index[::8]
    with torch.no_grad():
        made = model.nets.gen_ab(some[:, :-1], some[:, -1:], classes)
    return drawn(made, some[:, -1:]) / drawn(data.signatures.tensors[:, :-1], data.signatures.tensors[:, -1:])


def drawn(encoded: torch.Tensor, mask: torch.Tensor) -> float:
    """Mean distance from air (+1) over the objects."""
    return float(((1.0 - encoded) * mask).sum() / (mask.sum() * encoded.shape[1]))


def encoder_of(data: Data, config: TrainConfig) -> DomainEncoder:
    """Trained on the training's real signatures, as ``threatray score`` does."""
    known = config.encoding.decode(data.signatures.tensors[:, :-1])
    return DomainEncoder.train(known, data.signatures.class_index, CLASSES, seed=1, config=EncoderConfig(steps=400))


def judged(made: torch.Tensor, data: Data, encoder: DomainEncoder, config: TrainConfig) -> dict[str, Any]:
    """Figures of encoded translations of all photos."""
    decode = config.encoding.decode
    held = [data.held_back.of_class(index) for index in range(len(CLASSES))]
    mine = [data.photos.of_class(index) for index in range(len(CLASSES))]
    counts = [min(len(a), len(b)) for a, b in zip(held, mine, strict=True)]
    picked_b = np.concatenate([places[:count] for places, count in zip(held, counts, strict=True)])
    picked_a = np.concatenate([places[:count] for places, count in zip(mine, counts, strict=True)])
    real = encoder.features(decode(data.held_back.tensors[picked_b, :-1]))
    distance = kernel_distance(encoder.features(decode(made)[picked_a]), real)
    shown, true = decode(made).numpy(), decode(data.truth).clamp(0.0, 1.0).numpy()
    masks = (data.photos.tensors[:, -1] > 0.5).numpy()
    ssim = [ssim_in_box(one, other, mask) for one, other, mask in zip(shown, true, masks, strict=True)]
    verdicts = order_right(made, data)
    by_class = {name: [right for right, index in verdicts if CLASSES[index] == name] for name in CLASSES}
    return {
        "kid": distance,
        "ssim": float(np.mean(ssim)),
        "r_error": round(r_error(decode(made), decode(data.truth), data.photos.tensors[:, -1]), 3),
        "order": float(np.mean([right for right, _ in verdicts])),
        "order_by_class": {name: round(float(np.mean(rights)), 3) for name, rights in by_class.items() if rights},
        "order_objects": len(verdicts),
    }


def configurations() -> dict[str, TrainConfig]:
    """What is compared, by name; each differs from the default in what the name says."""
    base = TrainConfig(size=SIZE)

    def weighted(**changes: Any) -> TrainConfig:
        return replace(base, weights=replace(base.weights, **changes))

    neither = weighted(adversarial=Adversarial.LSGAN, r1_gamma=0.0, lambda_moments=0.0)
    return {
        "default": base,
        "least squares": weighted(adversarial=Adversarial.LSGAN),
        "no noise on the way back": weighted(cycle_noise=0.0),
        "neither": neither,
        "no moments": weighted(lambda_moments=0.0),
        "no R1": weighted(r1_gamma=0.0),
        "R1 of 0.2, no moments": weighted(r1_gamma=0.2, lambda_moments=0.0),
        "R1 of 1, no moments": weighted(r1_gamma=1.0, lambda_moments=0.0),
        "neither, twice the rates": faster(neither),
        "R1 of 1, no moments, twice the rates": faster(weighted(r1_gamma=1.0, lambda_moments=0.0)),
        "moments of 5, no R1, twice the rates": faster(weighted(r1_gamma=0.0, lambda_moments=5.0)),
        "neither, no momentum, twice the rates": replace(faster(neither), adam_beta1=0.0),
        "WGAN-GP": weighted(adversarial=Adversarial.WGAN_GP, r1_gamma=0.0),
    }


def faster(config: TrainConfig) -> TrainConfig:
    """The same at twice the learning rates: what goes wrong does so sooner."""
    return replace(config, lr_generators=2 * config.lr_generators, lr_discriminators=2 * config.lr_discriminators)


def try_one(
    name: str, config: TrainConfig, seed: int, data: Data, encoder: DomainEncoder | None, model: CycleGan | None = None
) -> dict[str, Any]:
    """Train once; the drawn share every 20 steps, and the figures at the end where an encoder is given."""
    model = model or CycleGan(config, CLASSES, data.signatures.channels, seed=seed)
    shares: list[float] = []
    spent = 0.0

    def note(step: int, _steps: int, _loss: Any, _wait: float) -> None:
        nonlocal spent
        if step % 20 == 0:
            before = time.process_time()
            shares.append(drawn_share(model, data))
            spent += time.process_time() - before

    before = time.process_time()
    model.fit(data.photos, data.signatures, on_progress=note)
    cpu = time.process_time() - before - spent
    row: dict[str, Any] = {
        "configuration": name,
        "seed": seed,
        "steps": config.steps,
        "shares": [round(share, 3) for share in shares],
        "collapsed_at": next((20 * (i + 1) for i, share in enumerate(shares) if i >= 9 and share < 0.05), None),
        "cpu_ms_per_step": round(1000 * cpu / config.steps, 1),
    }
    if encoder is not None:
        row |= judged(translated(model, data), data, encoder, config)
    return row


def translated(model: CycleGan, data: Data) -> torch.Tensor:
    """What the averaged generator makes of every photo, encoded."""
    photos = data.photos.tensors
    with torch.no_grad():
        parts = [
            model.ema(some[:, :-1], some[:, -1:], classes)
            for some, classes in zip(photos.split(50), data.photos.class_index.split(50), strict=True)
        ]
    return torch.cat(parts)


def draw(path: Path, made: torch.Tensor, data: Data, config: TrainConfig, per_class: int = 8) -> None:
    """Rows of photo, translation, truth; ``per_class`` objects of each class."""
    rows = []
    for index in range(len(CLASSES)):
        places = data.photos.of_class(index)[:: max(1, len(data.photos.of_class(index)) // per_class)][:per_class]
        photo = ((data.photos.tensors[places, :-1] + 1) * 127.5).clamp(0, 255).byte().numpy().transpose(0, 2, 3, 1)
        rows.append(np.concatenate(list(photo), axis=1))
        for encoded in (made, data.truth):
            values = config.encoding.decode(encoded[places]).clamp(1e-5, 1.0).numpy().astype(np.float32)
            rows.append(np.concatenate([screen(one) for one in values], axis=1))
    picture = np.concatenate(rows, axis=0)
    write_png(path, np.ascontiguousarray(picture.repeat(2, axis=0).repeat(2, axis=1)))


def screen(values: FloatArray) -> NDArray[np.uint8]:
    """A transmission as a scanner shows it."""
    return colour_view(XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY))


def table(results: Path, phantom_seed: int) -> str:
    """Markdown of all rows so far."""
    rows = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    head = (
        "configuration",
        "steps",
        "seeds",
        "drew nothing",
        "least share drawn",
        "swing",
        "KID",
        "SSIM",
        "order right",
        "r error",
        "CPU ms a step",
    )
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    keys = dict.fromkeys((row["configuration"], row["steps"]) for row in rows if row["phantom"] == phantom_seed)
    for name, steps in keys:
        mine = [row for row in rows if (row["configuration"], row["steps"], row["phantom"]) == (name, steps, phantom_seed)]
        late = [np.array(row["shares"][SETTLED:]) for row in mine]
        swing = float(np.mean([np.log(one.clip(0.01)).std() for one in late]))
        figures = [
            str(steps),
            str(len(mine)),
            str(sum(row["collapsed_at"] is not None for row in mine)),
            f"{np.median([one.min() for one in late]):.2f} ({min(one.min() for one in late):.2f})",
            f"{swing:.2f}",
            *(spread([row[key] for row in mine if key in row], digits) for key, digits in JUDGED),
            f"{np.median([row['cpu_ms_per_step'] for row in mine]):.0f}",
        ]
        lines.append(f"| {name} | {' | '.join(figures)} |")
    return "\n".join(lines)


def spread(values: list[float], digits: int) -> str:
    """Mean (least to largest)."""
    if not values:
        return ""
    return f"{np.mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def main() -> None:
    """Parse and go."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("prepare", "run", "table"))
    parser.add_argument("--cache", type=Path, default=Path("training_stability"))
    parser.add_argument("--phantom-seed", type=int, default=7)
    parser.add_argument("--configurations", nargs="+", default=["default"])
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--first-seed", type=int, default=100)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--length", type=int, default=1200, help="steps that the learning rates' schedule is made for, as in the full run")
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    results = options.cache / "results.jsonl"
    if options.what == "table":
        print(table(results, options.phantom_seed))
        return
    data = prepare(options.phantom_seed, options.cache / f"phantom_{options.phantom_seed}.pt")
    print(f"{len(data.photos)} photos, {len(data.signatures)} signatures, {len(data.held_back)} held back", flush=True)
    if options.what == "prepare":
        return
    known = configurations()
    done = (
        {(row["configuration"], row["seed"], row["steps"], row["phantom"]) for row in map(json.loads, results.open())}
        if results.is_file()
        else set()
    )
    encoder = encoder_of(data, TrainConfig(size=SIZE)) if options.steps >= options.length else None
    for name in options.configurations:
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            if (name, seed, options.steps, options.phantom_seed) in done:
                continue
            run_one(name, seed, known[name], data, encoder, options, results)


def run_one(name: str, seed: int, config: TrainConfig, data: Data, encoder: DomainEncoder | None, options: Any, results: Path) -> None:
    """One training and its line. Short runs keep the rates of the full one: their flat part."""
    shortened = replace(config, steps=options.steps, constant_share=1.0 if options.steps < options.length else config.constant_share)
    model = CycleGan(shortened, CLASSES, data.signatures.channels, seed=seed)
    row = {"phantom": options.phantom_seed, **try_one(name, shortened, seed, data, encoder, model)}
    with results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, sort_keys=True) + "\n")
    print(json.dumps(row), flush=True)
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
        draw(options.pictures / f"{name}_{options.phantom_seed}_{seed}_{options.steps}.png", translated(model, data), data, shortened)


if __name__ == "__main__":
    main()
