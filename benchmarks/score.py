"""How long scoring takes once the features are there: KID and precision/recall of 10,000 crops against 10,000.

    python benchmarks/score.py --items 10000 --width 64

Also the features themselves: the domain encoder, and EfficientNet-Lite0 where its weights are installed, on crops of 64x64.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import torch

from threatray.errors import ConfigError
from threatray.metrics.fid import fid
from threatray.metrics.kid import kid
from threatray.metrics.precision_recall import precision_recall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--width", type=int, nargs="+", default=[64, 1280])
    parser.add_argument("--features", action="store_true", help="time the extractors too, on a tenth of the items")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    for width in arguments.width:
        real, made = (rng.normal(size=(arguments.items, width)).astype(np.float32) for _ in range(2))
        for name, work in {
            "kid": lambda real=real, made=made: kid(real, made, extractor="benchmark", rng=np.random.default_rng(0)),
            "precision/recall": lambda real=real, made=made: precision_recall(real, made, extractor="benchmark"),
            "fid": lambda real=real, made=made: fid(real, made, extractor="benchmark"),
        }.items():
            wall, start = time.perf_counter(), time.process_time()
            work()
            cpu, elapsed = time.process_time() - start, time.perf_counter() - wall
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            print(
                f"{arguments.items} items, {width} features: {name} {cpu:.1f} s CPU, {elapsed:.1f} s wall, peak {peak:.2f} GB", flush=True
            )
    if arguments.features:
        _features(arguments.items // 10, rng)


def _features(items: int, rng: np.random.Generator) -> None:
    from threatray.metrics.encoder import DomainEncoder, EncoderConfig
    from threatray.metrics.extractors import named_extractor

    crops = rng.uniform(0.1, 1, (items, 3, 64, 64)).astype(np.float32)
    encoder = DomainEncoder.train(crops[:32], np.arange(32) % 2, ("a", "b"), seed=0, config=EncoderConfig(steps=2))
    extractors = [encoder]
    for name in ("efficientnet-lite0", "inception"):
        try:
            extractors.append(named_extractor(name))
        except ConfigError as error:
            print(error)
    for one in extractors:
        some = crops if one is encoder else crops[: max(50, items // 10)]
        start = time.process_time()
        one.features(some)
        print(f"{one.name}: {1000 * (time.process_time() - start) / len(some):.1f} ms CPU a crop", flush=True)


if __name__ == "__main__":
    main()
