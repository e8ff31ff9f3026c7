"""What each preset costs: parameters, multiplications, time and memory of a training step and of a translated crop.

    python benchmarks/presets.py                 # tiny, base and paper; about ten minutes
    python benchmarks/presets.py tiny --size 128
    python benchmarks/presets.py --counts        # parameters and GFLOP alone

Dual energy, six classes, random pictures: cost does not depend on them. Each preset runs at the canvas and batch given in ``AT``. A GFLOP
is 10^9 multiplications and additions of convolutions and products of matrices, as the plain sums take them; a step counts forward and
backward through all four networks with the default objective, without the slope term that every eighth step adds. Time is processor
time of one thread, memory what a fresh process holds at most beyond its imports.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from threatray.core import DUAL_ENERGY
from threatray.synthesis import winograd
from threatray.synthesis.config import Preset, TrainConfig
from threatray.synthesis.presets import nets_of
from threatray.synthesis.step import Batch
from threatray.synthesis.train import CycleGan
from threatray.synthesis.translate import Translator

AT = {Preset.TINY: (64, 6), Preset.BASE: (64, 6), Preset.PAPER: (128, 1)}
"""Canvas and batch."""

CLASSES = ("axe", "gun", "hammer", "knife", "pliers", "scissors")


def peak():
    """Most resident memory so far, KiB; getrusage's figure would be the parent's where that is larger."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])


def parameters(preset):
    """Of the generator that translates, and of all four networks."""
    nets = nets_of(TrainConfig(preset=preset), len(DUAL_ENERGY), len(CLASSES), seed=0)
    each = {name: sum(weight.numel() for weight in net.parameters()) for name, net in nets.named().items()}
    return each["gen_ab"], sum(each.values())


def model_of(preset, size, batch):
    torch.manual_seed(0)
    return CycleGan(TrainConfig(preset=preset, size=size, batch_size=batch), CLASSES, DUAL_ENERGY, seed=0)


def pictures(size, count):
    mask = torch.ones(count, 1, size, size)
    a, b = (torch.rand(count, channels, size, size) * 2 - 1 for channels in (3, 2))
    return Batch(a, mask, b, mask, torch.arange(count) % len(CLASSES))


def counted(preset, size, batch):
    """GFLOP of one translated picture and of one step."""
    model = model_of(preset, size, batch)
    model.step = 1  # the slope term comes with step 0
    one, several = pictures(size, 1), pictures(size, batch)
    found = []
    with mock.patch.object(winograd, "_worth_it", return_value=False):
        for run in (lambda: model.ema.inside(one.real_a, one.mask_a, one.class_index), lambda: model._update(several)):
            with FlopCounterMode(display=False) as counter:
                run()
            found.append(counter.get_total_flops() / 1e9)
    return found


def timed(run, rounds):
    run()
    times = []
    for _ in range(rounds):
        began = time.process_time()
        run()
        times.append(time.process_time() - began)
    return statistics.median(times), min(times), max(times)


def measured(preset, size, batch, rounds):
    """Seconds and peak memory of a step and of a crop; for a process of its own."""
    before = peak()
    model, given = model_of(preset, size, batch), pictures(size, batch)
    crop = torch.cat([given.real_a, given.mask_a], 1)[:1].numpy()
    translator = Translator.of(model)
    with torch.inference_mode():
        translated = timed(lambda: translator.encoded(crop, np.zeros(1, np.int64), 1), 4 * rounds)
    small = (peak() - before) / 1024
    model.step = 1
    step = timed(lambda: model._update(given), rounds)
    return {"crop": translated, "step": step, "memory": [small, (peak() - before) / 1024]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="*", type=Preset, default=list(AT))
    parser.add_argument("--size", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--counts", action="store_true")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.measure:
        print(
            "| preset | canvas, batch | parameters, generator / all | GFLOP, crop / step | CPU s a step | CPU ms a crop | peak MiB, both |"
        )
        print("|---|---|---|---|---|---|---|")
    for preset in options.presets:
        size, batch = (given or usual for given, usual in zip((options.size, options.batch), AT[preset], strict=True))
        if options.measure:
            print(json.dumps(measured(preset, size, batch, options.rounds)))
            continue
        own, every = parameters(preset)
        crop, step = counted(preset, size, batch)
        row = f"| `{preset}` | {size} px, {batch} | {own:,} / {every:,} | {crop:.2f} / {step:.1f} |"
        if not options.counts:
            words = [preset.value, "--measure", "--size", str(size), "--batch", str(batch), "--rounds", str(options.rounds)]
            done = subprocess.run([sys.executable, __file__, *words], check=True, capture_output=True, text=True)
            said = json.loads(done.stdout)
            s, c, m = said["step"], said["crop"], said["memory"]
            row += f" {s[0]:.2f} ({s[1]:.2f}-{s[2]:.2f}) | {c[0] * 1e3:.1f} ({c[1] * 1e3:.1f}-{c[2] * 1e3:.1f}) | {m[0]:.0f} / {m[1]:.0f} |"
        print(row, flush=True)


if __name__ == "__main__":
    main()
