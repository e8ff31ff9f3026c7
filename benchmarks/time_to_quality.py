"""Quality over training time: our presets and FastCUT beside the published recipe, on the phantom, judged on what neither has seen.

    python benchmarks/training_stability.py prepare --cache FOLDER
    python benchmarks/time_to_quality.py run --cache FOLDER [--arms tiny base] [--published-seconds 1900]
    python benchmarks/time_to_quality.py draw --cache FOLDER --picture curves.png

Time is processor time of one thread, judging left out. The published recipe is ``plain_cyclegan.py`` (9 blocks, width 64, LSGAN, cycle 10,
identity 0.5, pool 50, Adam 2e-4 still in its flat half, one pair a step, mirrored at random), given the canvases that ours are given;
what it draws off the object is cut away by the photo's mask before it is judged. See ``translators.md`` for what came out.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from plain_cyclegan import PlainCycleGan
from training_stability import CLASSES, SIZE, Data, draw, encoder_of, judged, prepare, translated

from threatray.synthesis.config import Preset, TrainConfig
from threatray.synthesis.translator import make_translator

ARMS = ("controls", "tiny", "fastcut", "base", "published")
Judge = Callable[[int, float, torch.Tensor], None]


def ours(config: TrainConfig, data: Data, seed: int, every: int, judge: Judge) -> torch.Tensor:
    """Train with the defaults; the averaged generator is judged every so many steps and at the end."""
    model: Any = make_translator(config, CLASSES, data.signatures.channels, seed=seed)
    start = time.process_time()

    def note(step: int, steps: int, _loss: Any, _wait: float) -> None:
        nonlocal start
        if step % every == 0 or step == steps:
            stop = time.process_time()
            judge(step, stop - start, translated(model, data))
            start += time.process_time() - stop

    model.fit(data.photos, data.signatures, on_progress=note)
    return translated(model, data)


def published(data: Data, seed: int, seconds: float, between: float, judge: Judge) -> torch.Tensor:
    """Train until so much processor time is spent; the third channel of an X-ray is the mean of its two energies."""
    torch.manual_seed(seed)
    model, rng = PlainCycleGan(), np.random.default_rng(seed)
    photos, energies = data.photos.tensors[:, :3], data.signatures.tensors[:, :2]
    xrays = torch.cat([energies, energies.mean(dim=1, keepdim=True)], dim=1)
    masks = data.photos.tensors[:, 3:]

    def drawn() -> torch.Tensor:
        with torch.no_grad():
            made = torch.cat([model.gen_ab(some)[:, :2] for some in photos.split(20)])
        return masks * made + (1 - masks)

    def one(of: torch.Tensor) -> torch.Tensor:
        picked = of[int(rng.integers(len(of)))][None]
        return picked.flip(3) if rng.random() < 0.5 else picked

    start, due, step = time.process_time(), between, 0
    while (spent := time.process_time() - start) < seconds:
        if spent >= due:
            judge(step, spent, drawn())
            due += between
            start += time.process_time() - start - spent
        model.step(one(photos), one(xrays))
        step += 1
    judge(step, spent, drawn())
    return drawn()


def controls(data: Data, config: TrainConfig) -> Iterator[tuple[str, torch.Tensor]]:
    """What costs nothing: the photo's grey as transmission, the same inverted, the silhouette filled with its class's mean transmission."""
    photos, masks = (data.photos.tensors[:, :3] + 1) / 2, data.photos.tensors[:, 3:]
    grey = (photos * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True).expand(-1, 2, -1, -1)
    real, covered = config.encoding.decode(data.signatures.tensors[:, :2]), data.signatures.tensors[:, 2:] > 0.5
    means = []
    for index in range(len(CLASSES)):
        mine = torch.from_numpy(data.signatures.of_class(index))
        means.append(torch.stack([real[mine, channel][covered[mine, 0]].mean() for channel in (0, 1)]))
    filled = torch.stack(means)[data.photos.class_index][:, :, None, None].expand_as(grey)
    for name, values in (("photo as it is", grey), ("grey inverted", 1 - grey), ("mean fill", filled)):
        encoded = torch.from_numpy(config.encoding.encode(values.clamp(1e-4, 1.0).numpy()))
        yield name, masks * encoded + (1 - masks)


def run(options: argparse.Namespace) -> None:
    """Each arm's rows to ``time_to_quality.jsonl``, its last strips beside them; an arm that has rows is not trained again."""
    data = prepare(options.phantom_seed, options.cache / f"phantom_{options.phantom_seed}.pt")
    rows_file = options.cache / "time_to_quality.jsonl"
    done = {(row["arm"], row["seed"]) for row in rows(rows_file) if row["last"]}
    config = TrainConfig(size=SIZE, steps=options.steps)
    encoder = encoder_of(data, config)
    if "controls" in options.arms:
        for name, made in controls(data, config):
            print(json.dumps({"arm": name, **judged(made, data, encoder, config)}), flush=True)
    for arm in options.arms:
        if (arm, options.seed) in done or arm == "controls":
            continue
        kept: list[dict[str, Any]] = []

        def judge(step: int, spent: float, made: torch.Tensor, arm: str = arm, kept: list[dict[str, Any]] = kept) -> None:
            figures = judged(made, data, encoder, config)
            kept.append({"arm": arm, "seed": options.seed, "step": step, "seconds": round(spent, 1), "last": False, **figures})
            print(json.dumps(kept[-1]), flush=True)

        if arm == "published":
            made = published(data, options.seed, options.published_seconds, options.published_seconds / 10, judge)
        else:
            changed = {"translator": arm} if arm == "fastcut" else {"preset": Preset(arm)}
            made = ours(replace(config, **changed), data, options.seed, 50, judge)
        kept[-1]["last"] = True
        with rows_file.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row, sort_keys=True) + "\n" for row in kept)
        draw(options.cache / f"{arm}_{options.seed}.png", made, data, config)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """What was measured so far."""
    if path.is_file():
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def draw_curves(options: argparse.Namespace) -> None:
    """KID, SSIM and the order of materials over processor time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), constrained_layout=True)
    styles = {
        "tiny": ("#0072b2", "o", "-"),
        "fastcut": ("#cc79a7", "d", "-."),
        "base": ("#009e73", "s", "--"),
        "published": ("#d55e00", "^", ":"),
    }
    kept = list(rows(options.cache / "time_to_quality.jsonl"))
    for arm, seed in dict.fromkeys((row["arm"], row["seed"]) for row in kept):
        mine = [row for row in kept if (row["arm"], row["seed"]) == (arm, seed)]
        colour, marker, line = styles[arm]
        look = {"color": colour, "marker": marker, "linestyle": line, "markersize": 4, "label": arm}
        for axis, key in zip(axes, ("kid", "ssim", "order"), strict=True):
            axis.plot([row["seconds"] for row in mine], [row[key] for row in mine], **look)
    for axis, name in zip(axes, ("KID (lower is better)", "SSIM in the box", "order of materials right"), strict=True):
        axis.set(xscale="log", xlabel="processor seconds", title=name)
        axis.grid(alpha=0.3)
    axes[0].set_yscale("symlog", linthresh=1)
    axes[0].legend()
    figure.savefig(options.picture, dpi=110)


def main() -> None:
    """Parse and go."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "draw"))
    parser.add_argument("--cache", type=Path, default=Path("training_stability"))
    parser.add_argument("--phantom-seed", type=int, default=7)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    parser.add_argument("--published-seconds", type=float, default=1900.0, help="processor time given to the published recipe")
    parser.add_argument("--seed", type=int, default=301)
    parser.add_argument("--steps", type=int, default=TrainConfig().steps, help="of ours; use another --cache for another number")
    parser.add_argument("--picture", type=Path, default=Path("time_to_quality.png"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    run(options) if options.what == "run" else draw_curves(options)


if __name__ == "__main__":
    main()
