"""``threatray doctor``."""

from __future__ import annotations

import importlib
import platform
import shutil
import sys
from pathlib import Path
from typing import Final

from threatray import __version__
from threatray.cli.common import Common
from threatray.errors import CheckFailed
from threatray.pipeline.workers import available_cores

_NEEDED: Final = (
    "numpy", "scipy", "cv2", "PIL", "tifffile", "pycocotools", "yaml", "manifold3d", "xraydb", "torch", "torchvision",
)  # fmt: skip
_FREE_GIGABYTES: Final = 5.0


def doctor(*, out: Path = Path(), common: Common = Common()) -> int:
    """Check this machine and installation.

    Args:
        out: The folder where results shall go.
    """
    versions: dict[str, str] = {}
    faults: list[str] = []
    for name in _NEEDED:
        try:
            versions[name] = str(getattr(importlib.import_module(name), "__version__", "present"))
        except ImportError as error:
            faults.append(f"{name} cannot be imported ({error}); install threatray again")
    free = shutil.disk_usage(out).free / 1e9
    if free < _FREE_GIGABYTES:
        faults.append(f"{out.resolve()}: {free:.1f} GB free, a demo needs {_FREE_GIGABYTES:.0f} GB")
    summary = {
        "threatray": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": available_cores(),
        "free_gigabytes": round(free, 1),
        "gpu": _gpu() if "torch" in versions else "unknown",
        "packages": versions,
        "faults": faults,
    }
    common.print_result({"stage": "doctor", "out": sys.prefix, "summary": summary})
    if faults:
        raise CheckFailed("; ".join(faults) + ".")
    return 0


def _gpu() -> str:
    torch = importlib.import_module("torch")
    return str(torch.cuda.get_device_name(0)) if torch.cuda.is_available() else "none (a CPU is enough for the demo)"
