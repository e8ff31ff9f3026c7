"""Where features come from: networks that packages ship, or any module handed over. The extractor's name is part of every score's name."""

from __future__ import annotations

import hashlib
import importlib
import warnings
from collections.abc import Callable
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from threatray.core import FloatArray
from threatray.errors import ConfigError, DataError
from threatray.metrics.efficientnet_lite import load_efficientnet_lite0
from threatray.metrics.shipped import INCEPTION

LITE_SIDE: Final = 128
INCEPTION_SIDE: Final = 299


class Extractor(Protocol):
    """Anything that turns signatures into features."""

    @property
    def name(self) -> str:
        """Part of every score's name: figures in features of different names are never compared."""
        ...

    def features(self, transmission: NDArray[Any] | Tensor) -> FloatArray:
        """(N, C, S, S) transmissions in (0, 1] to (N, D)."""
        ...


class ModuleExtractor:
    """Features of any torch module.

    Args:
        module: Takes (N, C, S, S) float32 transmissions as they are, or what ``prepare`` makes of them; gives (N, D), or (N, D, h, w),
            which is averaged. It is put into evaluation mode.
        name: What to call it; the first hexadecimal digits of its weights' hash are added, so that other weights are another extractor.
        prepare: From transmissions to what the module expects.

    Example:
        >>> mean = ModuleExtractor(nn.Flatten(), "pixels")
        >>> mean.features(np.ones((2, 1, 4, 4), np.float32)).shape, mean.name
        ((2, 16), 'pixels(e3b0c442)')
    """

    def __init__(self, module: nn.Module, name: str, prepare: Callable[[Tensor], Tensor] | None = None) -> None:
        self._module = module.eval()
        self._prepare = prepare
        self.name = f"{name}({_digest(module)})"

    def features(self, transmission: NDArray[Any] | Tensor, *, batch_size: int = 32) -> FloatArray:
        """(N, C, S, S) transmissions to (N, D).

        Raises:
            DataError: Not four axes, or the module gives something else than one row of finite features an item.
        """
        images = torch.as_tensor(transmission, dtype=torch.float32)
        if images.ndim != 4:
            raise DataError(f"extractor {self.name}: expected (N, C, H, W), got {tuple(images.shape)}.")
        found = []
        with torch.inference_mode():
            for some in torch.split(images, batch_size):
                out = self._module(some if self._prepare is None else self._prepare(some))
                if isinstance(out, tuple | list):
                    out = out[0]
                if not isinstance(out, Tensor) or out.ndim not in (2, 4) or len(out) != len(some):
                    shape = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
                    raise DataError(f"extractor {self.name}: expected features (N, D) or (N, D, h, w) for {len(some)} items, got {shape}.")
                found.append((out.mean((2, 3)) if out.ndim == 4 else out).float())
        features = torch.cat(found).numpy()
        if not np.isfinite(features).all():
            raise DataError(f"extractor {self.name}: some of its features are not finite.")
        return features


def named_extractor(name: str) -> Extractor:
    """An extractor by its name on the command line.

    Args:
        name: ``efficientnet-lite0`` or ``inception``, whose weights come with packages, or ``module:attribute``, an ``nn.Module`` or
            a function without arguments that makes one, imported from the Python path.

    Raises:
        ConfigError: No such name, the package is not installed, or what it names is no module.
    """
    if name == "efficientnet-lite0":
        return ModuleExtractor(load_efficientnet_lite0(), f"efficientnet-lite0@{LITE_SIDE}", lambda x: _pictures(x, LITE_SIDE) * 2 - 1)
    if name == "inception":
        return ModuleExtractor(
            _inception(), f"inception-v3-fid@{INCEPTION_SIDE}", lambda x: (_pictures(x, INCEPTION_SIDE) * 255 - 128) / 128
        )
    where, colon, attribute = name.partition(":")
    if not (colon and where and attribute):
        raise ConfigError(f"extractor {name!r}: expected efficientnet-lite0, inception or module:attribute.")
    try:
        found = importlib.import_module(where)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"extractor {name!r}: cannot be imported ({error}). Put its folder on PYTHONPATH.") from None
    made = found() if callable(found) and not isinstance(found, nn.Module) else found
    if not isinstance(made, nn.Module):
        raise ConfigError(f"extractor {name!r}: expected an nn.Module or a function that makes one, got {type(made).__name__}.")
    return ModuleExtractor(made, name)


def _inception() -> nn.Module:
    path = INCEPTION.checked()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is on its way out; the file is what it is
        loaded: nn.Module = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    return loaded


def _pictures(transmission: Tensor, side: int) -> Tensor:
    """Three channels in [0, 1]: two energies with their mean between them, one three times, three as they are."""
    count = transmission.shape[1]
    if count == 2:
        transmission = torch.stack([transmission[:, 0], transmission.mean(1), transmission[:, 1]], dim=1)
    elif count != 3:
        transmission = transmission.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    return functional.interpolate(transmission, (side, side), mode="bilinear", align_corners=False, antialias=True)


def _digest(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:8]
