"""Training in several processes that torchrun started: each works on its share of every batch, and all hold the same networks.

The law: the losses are those of one process on the whole batch, to float tolerance. So gradients are averaged over processes; fakes are
gathered before they enter the pool, which every process keeps alike; and where a loss averages over the patches that objects touch, their
number is shared. Only process 0 writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import torch
from torch import distributed

from threatray.errors import ConfigError

Dataclass = TypeVar("Dataclass")


def processes() -> int:
    """How many train together; 1 without torchrun.

    Example:
        >>> processes()
        1
    """
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Which one this is; 0 writes."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def asked_for() -> bool:
    """Whether torchrun started this process among others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


@dataclass(frozen=True)
class Group:
    """The processes that train together.

    Args:
        rank: Which one this is.
        size: How many there are.
    """

    rank: int
    size: int


@contextmanager
def together() -> Iterator[Group]:
    """Join the processes that torchrun started, for a while; nothing without it.

    Example:
        >>> with together() as group:
        ...     group.size
        1
    """
    if not asked_for():
        yield Group(0, 1)
        return
    # Its functions have the process group of the time of their import as a default argument. An optimiser imports them at its first step,
    # and from then on the group outlives its destruction: its threads run into the interpreter's end, which sometimes aborts the process.
    from torch.distributed.nn import functional  # noqa: F401

    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if gpu else "gloo")
    try:
        yield Group(rank(), processes())
    finally:
        distributed.destroy_process_group()


def tell(value: str | None) -> str | None:
    """What process 0 says, to all; the others give None and get it."""
    if processes() == 1:
        return value
    said = [value]
    distributed.broadcast_object_list(said, src=0)
    return said[0]


def wait_for_all() -> None:
    """Go on when every process has come here."""
    if processes() > 1:
        distributed.barrier()


def share_of(items: Dataclass) -> Dataclass:
    """This process's part of a dataclass of arrays or tensors whose first axis is the batch.

    Raises:
        ConfigError: The batch cannot be dealt out evenly.
    """
    count = processes()
    if count == 1:
        return items
    parts = {field.name: getattr(items, field.name) for field in fields(items)}  # type: ignore[arg-type]
    for name, value in parts.items():
        if len(value) % count:
            raise ConfigError(f"train: batch_size must be a multiple of the {count} processes, got {len(value)}.")
        each = len(value) // count
        parts[name] = value[rank() * each : (rank() + 1) * each]
    return type(items)(**parts)


def gathered(items: Dataclass) -> Dataclass:
    """The parts of all processes joined, in the order of their ranks: what ``share_of`` was given."""
    if processes() == 1:
        return items
    parts = {}
    for field in fields(items):  # type: ignore[arg-type]
        value = getattr(items, field.name).contiguous()
        pieces = [torch.empty_like(value) for _ in range(processes())]
        distributed.all_gather(pieces, value)
        parts[field.name] = torch.cat(pieces)
    return type(items)(**parts)


def mean_over_processes(value: torch.Tensor) -> torch.Tensor:
    """The mean of a number without gradient over all processes."""
    if processes() == 1:
        return value
    total = value.detach().clone()
    distributed.all_reduce(total)
    return total / processes()


def mean_of_all(value: torch.Tensor) -> torch.Tensor:
    """The mean over all processes, with this process's gradient: averaged over processes that is the gradient of the mean.

    Example:
        >>> mean_of_all(torch.tensor(2.0)).item()
        2.0
    """
    return value if processes() == 1 else value + (mean_over_processes(value) - value.detach())


def mean_losses(losses: Dataclass) -> Dataclass:
    """A dataclass of plain numbers, each the mean over processes."""
    if processes() == 1:
        return losses
    names = [field.name for field in fields(losses)]  # type: ignore[arg-type]
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    numbers = torch.tensor([getattr(losses, name) for name in names], dtype=torch.float64, device=device)
    distributed.all_reduce(numbers)
    return type(losses)(**dict(zip(names, (numbers / processes()).tolist(), strict=True)))


def agreed(flag: bool) -> bool:
    """Whether any process says so: all stop together."""
    if processes() == 1:
        return flag
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    total = torch.tensor(int(flag), device=device)
    distributed.all_reduce(total)
    return bool(total.item())


def average_gradients(optimiser: torch.optim.Optimizer, *_: Any) -> None:
    """Make every weight's gradient the mean over processes; for ``Optimizer.register_step_pre_hook``."""
    if processes() == 1:
        return
    weights = [weight for group in optimiser.param_groups for weight in group["params"] if weight.grad is not None]
    flat = torch.cat([weight.grad.flatten() for weight in weights])
    distributed.all_reduce(flat)
    flat /= processes()
    start = 0
    for weight in weights:
        weight.grad.copy_(flat[start : start + weight.numel()].view_as(weight))
        start += weight.numel()
