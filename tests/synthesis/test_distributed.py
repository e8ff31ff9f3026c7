"""Two processes of torchrun against one, on the same batches."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy import CLASSES, domains

from threatray.core import DUAL_ENERGY
from threatray.synthesis.config import Adversarial, TrainConfig
from threatray.synthesis.distributed import agreed, gathered, mean_losses, share_of
from threatray.synthesis.step import Batch, StepLosses
from threatray.synthesis.train import CycleGan

CONFIG = TrainConfig(size=16, steps=4, batch_size=4, pool_size=3)


def with_loss(adversarial):
    return replace(CONFIG, weights=replace(CONFIG.weights, adversarial=Adversarial(adversarial)))


SCRIPT = """
import json, pathlib, sys
import torch
sys.path.insert(0, sys.argv[1])
from test_distributed import run, with_loss
from threatray.synthesis.distributed import rank, share_of, gathered, agreed, together
from threatray.synthesis.step import Batch
with together() as group:
    whole = Batch(*(torch.arange(8.0).reshape(4, 2) + place for place in range(5)))
    mine = share_of(whole)
    assert mine.real_a.tolist() == whole.real_a[2 * rank() : 2 * rank() + 2].tolist()
    assert all(torch.equal(getattr(gathered(mine), name), getattr(whole, name)) for name in vars(whole))
    assert agreed(rank() == 1) and not agreed(False)
    losses, model = run(with_loss(sys.argv[3]))
    with open(f"{sys.argv[2]}/{rank()}.json", "w") as file:
        weights = [float(weight.double().sum()) for net in model.nets.named().values() for weight in net.parameters()]
        json.dump({"losses": losses, "weights": weights, "kept": len(model.state()["pools"]["fake_b"]["image"]), "size": group.size}, file)
running = [task.read_text().strip() for task in pathlib.Path("/proc/self/task").glob("*/comm")]  # none where there is no /proc
assert not [name for name in running if "gloo" in name], running
"""


def run(config=CONFIG):
    losses = []
    model = CycleGan(config, CLASSES, DUAL_ENERGY, seed=3)
    model.fit(*domains(), on_progress=lambda step, steps, one, wait: losses.append(vars(one)))
    return losses, model


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def two_processes(arguments):
    """Start two processes with the environment that torchrun sets, in which errors show as they are."""
    port = str(free_port())
    environment = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, *arguments],
            env={**environment, "RANK": str(place), "LOCAL_RANK": str(place)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for place in range(2)
    ]
    return [(*process.communicate(timeout=300), process.returncode) for process in started]


@pytest.mark.slow
@pytest.mark.parametrize("adversarial", ["lsgan", "relativistic"])
def test_two_processes_have_the_losses_of_one_on_the_same_batches(tmp_path, adversarial):
    ended = two_processes(["-c", SCRIPT, str(Path(__file__).parent), str(tmp_path), adversarial])
    assert [code for *_, code in ended] == [0, 0], ended
    first, second = (json.loads((tmp_path / f"{place}.json").read_text()) for place in range(2))
    assert first == second  # to the bit: both hold the same networks and report the same losses
    assert (first["size"], first["kept"]) == (2, 3)
    alone, _ = run(with_loss(adversarial))
    assert len(alone) == len(first["losses"]) == 4
    for here, there in zip(alone, first["losses"], strict=True):
        for name, value in here.items():
            assert there[name] == pytest.approx(value, rel=2e-4, abs=1e-6), name


def test_alone_nothing_is_shared_out():
    batch = Batch(*(torch.zeros(3) for _ in range(5)))
    assert share_of(batch) is batch
    assert gathered(batch) is batch
    assert (agreed(True), agreed(False)) == (True, False)
    losses = StepLosses(*range(8))
    assert mean_losses(losses) is losses


@pytest.mark.slow
def test_the_command_trains_in_two_processes_and_only_the_first_writes_and_prints(tmp_path):
    import numpy as np

    from threatray.core.image_file import write_png

    for folder, level in (("trainA", 90), ("trainB", 160)):
        for place in range(2):
            picture = np.full((24, 24, 3), 250, np.uint8)
            picture[4 + place : 18, 5:20] = level
            write_png(tmp_path / "data" / folder / f"{folder}{place}.png", picture)
    data = str(tmp_path / "data")
    words = [
        "-m",
        "threatray",
        "train",
        "--photos",
        data,
        "--signatures",
        data,
        "--steps",
        "3",
        "--size",
        "16",
        "--batch-size",
        "2",
        "--json",
    ]
    ended = two_processes([*words, "--quiet", "--out", str(tmp_path / "together")])
    assert [code for *_, code in ended] == [0, 0], ended
    assert [bool(out) for out, *_ in ended] == [True, False]
    again = two_processes([*words, "--quiet", "--out", str(tmp_path / "together")])  # done already
    assert [code for *_, code in again] == [0, 0], again
    subprocess.run([sys.executable, *words, "--quiet", "--out", str(tmp_path / "alone")], check=True, capture_output=True)
    here, there = (
        [json.loads(line) for line in (tmp_path / name / "history.jsonl").read_text().splitlines()] for name in ("alone", "together")
    )
    assert len(here) == len(there) > 0
    for one, other in zip(here, there, strict=True):
        for name, value in one.items():
            assert other[name] == pytest.approx(value, rel=1e-3, abs=1e-6), name
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")} == {"data", "together", "alone"}
