"""The training step against the published one written plainly, in one process, turn by turn, on the same weights and pictures.

    python benchmarks/train_step.py                              # 128 px, 9 blocks, width 64, batch 1 and 4: about 25 minutes
    python benchmarks/train_step.py --size 64 --batches 1        # a quick look
    python benchmarks/train_step.py --compile                    # adds compiled steps; several minutes of compilation first
    python benchmarks/train_step.py --only fp32                  # for processors without bf16 instructions, where bf16 is much slower

Time is processor time of this process over all its threads, so that other work on the machine disturbs it little; with ``--wall`` the
clock. Each way's figure is the median over the rounds; the spread is the smallest and largest ratio in one round. Peak memory is measured
in a process of its own for each way.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from plain_cyclegan import PlainCycleGan

from threatray.synthesis.config import Preset, TrainConfig
from threatray.synthesis.hardware import Precision, prepare
from threatray.synthesis.image_pool import ImagePool
from threatray.synthesis.paper_config import Condition, PaperNetworks
from threatray.synthesis.presets import nets_of
from threatray.synthesis.step import Batch, Optimisers, Pools, train_step
from threatray.synthesis.train import _adam

WEIGHTS = replace(TrainConfig.published().weights, lambda_identity=0.5)


def pictures(size, batch):
    generator = torch.Generator().manual_seed(7)
    return tuple(torch.rand(batch, 3, size, size, generator=generator) * 2 - 1 for _ in range(2))


class Plain:
    """The published step."""

    def __init__(self, options, batch, *, precision=Precision.FP32):
        torch.manual_seed(0)
        self.model = PlainCycleGan(options.width, options.blocks)
        self.real = pictures(options.size, batch)
        self.precision = precision

    def step(self):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.precision is Precision.BF16):
            return self.model.step(*self.real)


class Ours:
    """threatray's step, from the plain one's weights."""

    def __init__(self, options, batch, *, precision=Precision.FP32, compiled=False, accumulate=1):
        torch.manual_seed(0)
        plain = PlainCycleGan(options.width, options.blocks)
        paper = PaperNetworks(width=options.width, disc_width=options.width, blocks=options.blocks)
        config = TrainConfig(preset=Preset.PAPER, size=options.size, batch_size=batch, condition=Condition.NONE, paper=paper)
        self.nets = nets_of(config, 3, 1, 0)
        for name, net in self.nets.named().items():
            net.core.load_state_dict(getattr(plain, name).state_dict())
        prepare(self.nets.named().values(), precision, torch.device("cpu"), compiled=compiled)
        nets = self.nets
        self.optimisers = Optimisers(_adam([nets.gen_ab, nets.gen_ba], 2e-4, 0.5), _adam([nets.disc_a, nets.disc_b], 2e-4, 0.5))
        self.pools, self.rng = Pools(ImagePool(50), ImagePool(50)), np.random.default_rng(0)
        real_a, real_b = pictures(options.size, batch)
        mask = torch.ones(batch, 1, options.size, options.size)
        self.batch = Batch(real_a, mask, real_b, mask, torch.zeros(batch, dtype=torch.int64))
        self.accumulate = accumulate

    def step(self):
        return vars(train_step(self.nets, self.optimisers, self.pools, self.batch, WEIGHTS, self.rng, accumulate=self.accumulate))


WAYS: dict[str, Callable[..., Plain | Ours]] = {
    "plain fp32": lambda options, batch: Plain(options, batch),
    "ours fp32": lambda options, batch: Ours(options, batch),
    "plain bf16 autocast": lambda options, batch: Plain(options, batch, precision=Precision.BF16),
    "ours bf16": lambda options, batch: Ours(options, batch, precision=Precision.BF16),
    "ours fp32 compiled": lambda options, batch: Ours(options, batch, compiled=True),
    "ours bf16 compiled": lambda options, batch: Ours(options, batch, precision=Precision.BF16, compiled=True),
}


def peak():
    """Most resident memory so far, KiB; getrusage's figure would be the parent's where that is larger."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])


def peak_of(name, options, batch):
    """Peak resident memory in MiB of two steps in a fresh process, less that of the imports."""
    command = [sys.executable, __file__, "--memory-of", name, "--batches", str(batch), "--size", str(options.size)]
    command += ["--width", str(options.width), "--blocks", str(options.blocks), "--threads", str(options.threads)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(options, batch):
    names = [name for name in WAYS if (options.compile or "compiled" not in name) and options.only in name]
    clock = time.perf_counter if options.wall else time.process_time
    ways, first = {}, {}
    for name in names:
        began = time.perf_counter()
        ways[name] = WAYS[name](options, batch)
        first[name] = ways[name].step()  # also warms up, and compiles
        if "compiled" in name:
            print(f"  {name}: the first step took {time.perf_counter() - began:.0f} s", flush=True)
    plain = first["plain fp32"]
    for name in names[1:]:
        far = max(abs(first[name][term] - value) / abs(value) for term, value in plain.items())
        print(f"  {name}: losses of the first step differ by at most {far:.1e} (relative)")
    times = {name: [] for name in names}
    for _ in range(options.rounds):
        for name in names:
            began = clock()
            ways[name].step()
            times[name].append(clock() - began)
    base = times["plain fp32"]
    print(f"| way (batch {batch}) | s/step | times plain fp32 | least .. most | peak MiB |\n|---|---|---|---|---|")
    for name in names:
        ratios = sorted(one / other for one, other in zip(base, times[name], strict=True))
        peak = "" if options.no_memory else f"{peak_of(name, options, batch):.0f}"
        middle = statistics.median(times[name])
        ratio = statistics.median(base) / middle
        print(f"| {name} | {middle:.2f} | {ratio:.2f} | {ratios[0]:.2f} .. {ratios[-1]:.2f} | {peak} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="ways whose name holds this; the plain fp32 step must be among them")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--wall", action="store_true")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.memory_of:
        before = peak()
        way = WAYS[options.memory_of](options, options.batches[0])
        for _ in range(2):
            way.step()
        print((peak() - before) / 1024)
        return
    print(f"{options.size} px, {options.blocks} blocks, width {options.width}, {options.threads} thread(s), torch {torch.__version__}")
    for batch in options.batches:
        measure(options, batch)


if __name__ == "__main__":
    main()
