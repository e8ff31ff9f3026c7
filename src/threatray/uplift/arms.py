"""What each arm of the experiment trains on: which pools of pictures, in which shares, transformed or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final, Self

from threatray.errors import ConfigError


class Pool(StrEnum):
    """A set of training pictures."""

    BENIGN = "benign"
    REAL = "real"
    TRANSLATED = "translated"
    """Benign bags with signatures translated from photos projected into them."""
    REPROJECTED = "reprojected"
    """Benign bags with signatures cut out of the real training scans projected into them."""
    OPAQUE = "opaque"
    """Control: photos pasted over the bag as they are."""
    ALPHA = "alpha"
    """Control: photos mixed into the bag by a fixed alpha."""


@dataclass(frozen=True)
class Arm:
    """One way to train, everything else equal.

    Args:
        name: Name in tables and files.
        shares: Pool -> share of the pictures shown to the detector; positive, summing to 1. Every arm is shown the same number
            of pictures, so a share taken by synthetic pictures is taken from repeats of the real ones.
        use_transformation: Whether the conventional transformation is applied to each picture shown.

    Raises:
        ConfigError: No name, no share, a share that is not positive, or shares that do not sum to 1.

    Example:
        >>> Arm("mine", {Pool.BENIGN: 0.5, Pool.REAL: 0.2, Pool.TRANSLATED: 0.3}).use_synthetic
        True
        >>> STANDARD_ARMS["real_only"].use_synthetic, len(STANDARD_ARMS)
        (False, 7)
    """

    name: str
    shares: Mapping[Pool, float]
    use_transformation: bool = False

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError("arm: it needs a name.")
        if not self.shares or any(not share > 0 for share in self.shares.values()):
            raise ConfigError(f"arm {self.name!r}: every share must be above 0, got {self._listed()}. Leave out a pool that is not used.")
        if abs(sum(self.shares.values()) - 1) > 1e-6:
            raise ConfigError(f"arm {self.name!r}: shares must sum to 1, got {self._listed()}, which sum to {sum(self.shares.values()):g}.")

    def _listed(self) -> str:
        return ", ".join(f"{pool.value} {share:g}" for pool, share in self.shares.items()) or "none"

    @property
    def use_synthetic(self) -> bool:
        """Whether it draws on any pool that we made."""
        return bool(set(self.shares) - {Pool.BENIGN, Pool.REAL})

    def as_json(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self) | {"shares": {pool.value: share for pool, share in self.shares.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back what `as_json` gave, or the same keys of a project file.

        Raises:
            ConfigError: An unknown pool or key, or anything the arm itself refuses.
        """
        if unknown := sorted(set(data) - {"name", "shares", "use_transformation"}):
            raise ConfigError(f"arm: unknown key {unknown[0]!r}; known are name, shares, use_transformation.")
        known = [pool.value for pool in Pool]
        for pool in data.get("shares", {}):
            if pool not in known:
                raise ConfigError(f"arm {data.get('name')!r}: no pool is called {pool!r}; there are {', '.join(known)}.")
        shares = {Pool(pool): float(share) for pool, share in data.get("shares", {}).items()}
        return cls(str(data.get("name", "")), shares, bool(data.get("use_transformation", False)))


BENIGN_SHARE: Final = 0.3
"""Share of benign bags among the pictures shown, the same in every standard arm."""
SYNTHETIC_SHARE: Final = 0.4
"""Share of pictures of our making in the standard arms that have any; the rest of the threat pictures are real."""


def _arm(name: str, synthetic: Pool | None = None, *, transformed: bool = False) -> Arm:
    if synthetic is None:
        return Arm(name, {Pool.BENIGN: BENIGN_SHARE, Pool.REAL: 1 - BENIGN_SHARE}, transformed)
    return Arm(name, {Pool.BENIGN: BENIGN_SHARE, Pool.REAL: 1 - BENIGN_SHARE - SYNTHETIC_SHARE, synthetic: SYNTHETIC_SHARE}, transformed)


BASELINE: Final = "real_only"

STANDARD_ARMS: Final[Mapping[str, Arm]] = {
    arm.name: arm
    for arm in (
        _arm(BASELINE),
        _arm("transformation", transformed=True),
        _arm("synthesis", Pool.TRANSLATED),
        _arm("synthesis_transformation", Pool.TRANSLATED, transformed=True),
        _arm("real_reprojected", Pool.REPROJECTED),
        _arm("opaque_paste", Pool.OPAQUE),
        _arm("alpha_blend", Pool.ALPHA),
    )
}
"""The arms of the reference study and their controls."""


def proportional_arm(multiple: float, *, transformed: bool) -> Arm:
    """An arm that shows real and translated pictures in the proportion in which they are there.

    Args:
        multiple: Translated pictures for each real one.
        transformed: Whether the conventional transformation is applied.

    Example:
        >>> arm = proportional_arm(1.0, transformed=False)
        >>> arm.name, arm.shares[Pool.TRANSLATED]
        ('synthesis_x1', 0.35)
    """
    made = round((1 - BENIGN_SHARE) * multiple / (1 + multiple), 6)
    shares = {Pool.BENIGN: BENIGN_SHARE, Pool.REAL: 1 - BENIGN_SHARE - made, Pool.TRANSLATED: made}
    return Arm(f"synthesis{'_transformation' if transformed else ''}_x{multiple:g}", shares, transformed)
