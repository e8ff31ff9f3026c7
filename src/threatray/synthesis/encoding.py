"""Transmissions to and from the numbers a network sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from threatray.core import TRANSMISSION_FLOOR
from threatray.errors import ConfigError

if TYPE_CHECKING:
    import torch

Values = TypeVar("Values", "NDArray[np.float32]", "torch.Tensor")


@dataclass(frozen=True)
class Encoding:
    r"""Transmission in (0, 1] to [-1, 1]: :math:`y = 2 T^{p} - 1`; air is always exactly +1.

    A power below 1 spreads the dark end, where steel of different thickness lies, over more of the range. ``Encoding(1.0)`` is the plain
    linear code 2T - 1.

    Args:
        power: The exponent p, in (0, 1].

    Raises:
        ConfigError: The power is out of range.

    Example:
        >>> code = Encoding(0.5)
        >>> encoded = code.encode(np.array([1.0, 0.25], np.float32))
        >>> encoded.tolist(), code.decode(encoded).tolist()
        ([1.0, 0.0], [1.0, 0.25])
    """

    power: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 < self.power <= 1.0:
            raise ConfigError(f"encoding: power must lie in (0, 1], got {self.power}. 1 is linear, 0.5 spreads the dark end.")

    def encode(self, transmission: Values) -> Values:
        """[floor, 1] to [-1, 1]; same shape and library."""
        return 2.0 * transmission**self.power - 1.0

    def decode(self, encoded: Values) -> Values:
        """[-1, 1] back to [``TRANSMISSION_FLOOR``, 1]; values beyond are clipped."""
        if not isinstance(encoded, np.ndarray):
            return ((encoded + 1.0) / 2.0).clamp(0.0, 1.0).pow(1.0 / self.power).clamp(min=TRANSMISSION_FLOOR)
        unit: NDArray[np.float32] = np.clip((encoded + 1.0) / 2.0, 0.0, 1.0)
        decoded: NDArray[np.float32] = np.maximum(unit ** (1.0 / self.power), TRANSMISSION_FLOOR).astype(np.float32)
        return decoded
