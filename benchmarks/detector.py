"""How well the experiment's detector learns for a second of CPU time: real scans of the phantom alone, judged on its validation part.

    threatray phantom --out phantom --seed 7 --validation-threat-per-class 12 --validation-benign 80
    python benchmarks/detector.py phantom --setting tiny --steps 900 --seeds 2

The test part is never opened. Each line is one training: settings, seed, CPU seconds to learn and to judge, AP50 over the classes and of
each, and the share of benign bags that score above the threshold which TPR 0.94 needs on these same validation pictures.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from threatray.pipeline.sources import Role, Sources, Taxonomy
from threatray.pipeline.stages.uplift_stage import _pool
from threatray.uplift.arms import STANDARD_ARMS, Pool
from threatray.uplift.average_precision import Matches, mean_ap50
from threatray.uplift.config import Backbone, FasterRcnnConfig
from threatray.uplift.experiment import _judged, _trained
from threatray.uplift.statistics import fpr_at_tpr

LIGHT = FasterRcnnConfig(steps=900)
SETTINGS = {
    "tiny": LIGHT,
    "tiny_224": replace(LIGHT, image_size=224, window=160),
    "lite0": replace(LIGHT, backbone=Backbone.EFFICIENTNET_LITE0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phantom", type=Path)
    parser.add_argument("--setting", nargs="+", default=["tiny"])
    parser.add_argument("--arm", default="real_only", choices=["real_only", "transformation"])
    parser.add_argument("--steps", type=int, nargs="+", default=[900])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--set", nargs="*", default=[], help="field=value on top of the setting")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    roles = {Role.LABELLED: "scans", Role.BENIGN: "benign", Role.VALIDATION: "validation"}
    sources = Sources.open({role: arguments.phantom / folder for role, folder in roles.items()}, Taxonomy())
    changes = {name: json.loads(value) for name, value in (one.split("=", 1) for one in arguments.set)}
    changes = {name: _tuples(value) for name, value in changes.items()}
    cached: dict[int, tuple[dict[Pool, object], object]] = {}
    for setting in arguments.setting:
        for steps in arguments.steps:
            for seed in range(arguments.seeds):
                config = replace(SETTINGS[setting], steps=steps, **changes)
                side = config.image_size
                if side not in cached:
                    pools = {
                        Pool.REAL: _pool(sources, sources.located(Role.LABELLED), side, synthetic=False),
                        Pool.BENIGN: _pool(sources, sources.located(Role.BENIGN), side, synthetic=False),
                    }
                    cached[side] = pools, _pool(sources, sources.located(Role.VALIDATION), side, synthetic=False)
                line = _measure(config, STANDARD_ARMS[arguments.arm], seed, *cached[side], sources.classes())
                line = {"setting": setting, "set": arguments.set, "arm": arguments.arm, "steps": steps, "seed": seed} | line
                print(json.dumps(line), flush=True)
                if arguments.out:
                    with arguments.out.open("a") as file:
                        file.write(json.dumps(line) + "\n")


def _tuples(value: object) -> object:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _measure(config, arm, seed, pools, validation, classes) -> dict[str, object]:
    start = time.process_time()
    detector, losses = _trained(arm, seed, pools, config, classes, None, None)
    learnt = time.process_time()
    judged = _judged(detector, validation)
    end = time.process_time()
    one = np.ones((1, len(judged)))
    each = Matches.of(judged, classes, (0.5,)).average_precision(np.arange(len(judged)), one)[0, :, 0]
    scores, threat = np.array([one.found.image_score for one in judged]), np.array([one.has_threat for one in judged])
    return {
        "learn_s": round(learnt - start, 1),
        "judge_s": round(end - learnt, 1),
        "loss": round(float(np.mean(losses[-50:])), 3),
        "ap50": round(mean_ap50(judged, classes), 4),
        "fpr": round(fpr_at_tpr(scores[threat], scores[~threat], 0.94), 4),
        "by_class": {name: round(float(value), 3) for name, value in zip(classes, each, strict=True)},
    }


if __name__ == "__main__":
    main()
