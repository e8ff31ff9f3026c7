"""Where and in which arithmetic networks run; importable without torch."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from threatray.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    import torch


_WITHOUT_BF16: Final = ("DEFAULT", "NO AVX", "AVX2")
"""What torch calls processors that it has no 16-bit convolutions for."""


class Precision(StrEnum):
    """Arithmetic of the networks; weights, losses and updates are always 32 bits."""

    FP32 = "fp32"
    """32 bits."""

    BF16 = "bf16"
    """Convolutions in 16 bits with the range of 32 (bfloat16): about twice as fast where the machine has instructions for it."""


class Runtime(StrEnum):
    """What runs a network that translates."""

    TORCH = "torch"
    """torch, from a checkpoint."""

    ONNX = "onnx"
    """onnxruntime, from a file of ``threatray export``; torch is not needed."""


class Device(StrEnum):
    """Where networks run."""

    AUTO = "auto"
    """The GPU if there is one, else the processor."""

    CPU = "cpu"
    """The processor: equal seeds give equal bits."""

    CUDA = "cuda"
    """The GPU; under torchrun, the one of the process's local rank."""


def torch_device(device: Device) -> torch.device:
    """The device that is meant.

    Raises:
        ConfigError: A GPU was asked for and there is none.

    Example:
        >>> torch_device(Device.CPU)
        device(type='cpu')
    """
    import os

    import torch

    there = torch.cuda.is_available()
    if device is Device.CUDA and not there:
        raise ConfigError("train: device is cuda, but torch finds no usable GPU. Use device auto or cpu, or install torch for your GPU.")
    if device is Device.CPU or not there:
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def arithmetic(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """A context in which networks compute in this precision.

    Example:
        >>> import torch
        >>> layer = torch.nn.Conv2d(1, 1, 1)
        >>> with arithmetic(Precision.BF16, torch.device("cpu")):
        ...     layer(torch.ones(1, 1, 2, 2)).dtype
        torch.bfloat16
    """
    from contextlib import nullcontext

    import torch

    return torch.autocast(device.type, dtype=torch.bfloat16) if precision is Precision.BF16 else nullcontext()


def slow_precision(precision: Precision, device: torch.device) -> str | None:
    """What to say where a precision costs time instead of saving it, or None.

    Example:
        >>> slow_precision(Precision.FP32, torch_device(Device.CPU)) is None
        True
    """
    import torch

    if precision is not Precision.BF16 or device.type != "cpu":
        return None
    capability = torch.backends.cpu.get_cpu_capability()
    if capability not in _WITHOUT_BF16:
        return None
    return f"precision is bf16, but this processor ({capability}) has no 16-bit convolutions: steps may take twenty times those of fp32."


def prepare(nets: Iterable[torch.nn.Module], precision: Precision, device: torch.device, *, compiled: bool) -> None:
    """Bring networks to their device and arithmetic, in place; their parameters keep their names and 32 bits.

    Args:
        nets: ``MaskedGenerator`` and ``ConditionalDiscriminator``.
        precision: Of what they compute.
        device: Where.
        compiled: Compile their cores when first called: minutes, once a process.
    """
    for net in nets:
        net.to(device)
        net.precision = precision  # type: ignore[assignment]
        core = getattr(net, "core", net)
        if compiled:
            core.compile(dynamic=False)
