"""The plan of composites: how many of which class, from which signature, into which bag, how large."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

import numpy as np

from threatray.balance.imbalance import BETA, js_divergence
from threatray.balance.quota import Strategy, apportion, quota
from threatray.core.seeding import stream
from threatray.core.signature import OriginKind
from threatray.errors import ConfigError, DataError

T = TypeVar("T")


@dataclass(frozen=True)
class PlanConfig:
    """What a plan should reach and what it may spend.

    Args:
        strategy: What the class distribution should become.
        total: Threats to add, or None.
        multiple: Threats to add as a multiple of those there are, or None.
        targets: Class name -> threats there should be, for the strategy ``targets``.
        classes: Plan for these classes only, leave the others as they are; empty for all.
        max_composite_share: Of a class's threats afterwards, at most this share may be composites. A class that had none
            is exempt: all of it must be.
        made_share: Of the threats added, this share from translated or rendered signatures and the rest from real ones,
            where a class has both; None to use all alike.
        max_signature_reuse: How often one signature may be projected.
        max_bag_reuse: How many composites may be made of one benign bag.
        threats_per_bag_weights: Relative frequency of composites with one, two, ... threats.
        match_counts: Take these frequencies from the labelled scans instead.
        beta: Of the effective number.
    """

    strategy: Strategy = Strategy.PRESERVE
    total: int | None = None
    multiple: float | None = None
    targets: dict[str, int] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    max_composite_share: float = 1.0
    made_share: float | None = None
    max_signature_reuse: int = 20
    max_bag_reuse: int = 10
    threats_per_bag_weights: tuple[float, ...] = (1.0,)
    match_counts: bool = False
    beta: float = BETA

    def __post_init__(self) -> None:
        if self.total is not None and self.multiple is not None:
            raise ConfigError(f"plan: give a total or a multiple, not both (got {self.total} and {self.multiple}).")
        if (self.total is not None and self.total < 0) or (self.multiple is not None and not 0 <= self.multiple < np.inf):
            raise ConfigError("plan: total and multiple must not be negative.")
        if not 0 <= self.max_composite_share <= 1:
            raise ConfigError(f"plan: max_composite_share must lie in [0, 1], got {self.max_composite_share}.")
        if self.made_share is not None and not 0 <= self.made_share <= 1:
            raise ConfigError(f"plan: made_share must lie in [0, 1], got {self.made_share}.")
        if self.max_signature_reuse < 1 or self.max_bag_reuse < 1:
            raise ConfigError("plan: max_signature_reuse and max_bag_reuse must be at least 1.")
        weights = self.threats_per_bag_weights
        if not weights or min(weights) < 0 or sum(weights) <= 0:
            raise ConfigError(f"plan: threats_per_bag_weights must be some weights, not negative and not all 0, got {weights}.")


def count_weights(counts: Iterable[int]) -> tuple[float, ...]:
    """How often scans hold one, two, ... threats, for ``threats_per_bag_weights``; scans without any do not count.

    Example:
        >>> count_weights([1, 1, 3, 0])
        (2.0, 0.0, 1.0)
    """
    found = [count for count in counts if count > 0]
    return tuple(float(found.count(number)) for number in range(1, max(found, default=0) + 1)) or (1.0,)


@dataclass(frozen=True)
class AvailableSignature:
    """A signature that a plan may use."""

    id: str
    kind: OriginKind


@dataclass(frozen=True)
class PlannedThreat:
    """One threat to project; ``relative_length`` is its length as a share of the bag's, or None to keep its own scale."""

    class_name: str
    signature_id: str
    relative_length: float | None = None


@dataclass(frozen=True)
class PlannedComposite:
    """One composite to make."""

    id: str
    bag_id: str
    threats: tuple[PlannedThreat, ...]


@dataclass(frozen=True)
class Shortfall:
    """A class that gets fewer threats than asked, and why."""

    class_name: str
    asked: int
    planned: int
    reason: str


@dataclass(frozen=True)
class CompositePlan:
    """What will be made, and what the dataset will be afterwards.

    Args:
        strategy: What was asked.
        seed: What the choices were drawn with.
        before: Class name -> threats there are.
        added: Class name -> threats to add.
        shortfalls: Where that is less than asked.
        composites: Each composite.
    """

    strategy: Strategy
    seed: int
    before: Mapping[str, int]
    added: Mapping[str, int]
    shortfalls: tuple[Shortfall, ...]
    composites: tuple[PlannedComposite, ...]

    @property
    def after(self) -> dict[str, int]:
        """Class name -> threats there will be."""
        return {name: count + self.added[name] for name, count in self.before.items()}

    @property
    def divergence(self) -> float | None:
        """Jensen-Shannon divergence of the class distribution afterwards from the one before, in bits; None if there were no threats."""
        if sum(self.before.values()) == 0:
            return None
        return js_divergence(self.before, self.after)

    def as_json(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "strategy": self.strategy.value,
            "seed": self.seed,
            "before": dict(self.before),
            "added": dict(self.added),
            "after": self.after,
            "divergence_bits": self.divergence,
            "shortfalls": [
                {"class_name": each.class_name, "asked": each.asked, "planned": each.planned, "reason": each.reason}
                for each in self.shortfalls
            ],
            "composites": [
                {
                    "id": each.id,
                    "bag_id": each.bag_id,
                    "threats": [
                        {"class_name": threat.class_name, "signature_id": threat.signature_id, "relative_length": threat.relative_length}
                        for threat in each.threats
                    ],
                }
                for each in self.composites
            ],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], where: str = "plan") -> Self:
        """The inverse of ``as_json``.

        Raises:
            DataError: Not what ``as_json`` writes, or counts that the composites do not bear out.
        """
        try:
            plan = cls(
                Strategy(value["strategy"]),
                int(value["seed"]),
                {str(name): int(count) for name, count in value["before"].items()},
                {str(name): int(count) for name, count in value["added"].items()},
                tuple(Shortfall(**each) for each in value["shortfalls"]),
                tuple(
                    PlannedComposite(each["id"], each["bag_id"], tuple(PlannedThreat(**threat) for threat in each["threats"]))
                    for each in value["composites"]
                ),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{where}: not a plan of composites ({type(error).__name__}: {error}). Make it again with `threatray plan`."
            ) from None
        counted = dict.fromkeys(plan.added, 0)
        for composite in plan.composites:
            for threat in composite.threats:
                counted[threat.class_name] = counted.get(threat.class_name, 0) + 1
        if counted != dict(plan.added) or set(plan.before) != set(plan.added):
            raise DataError(f"{where}: it says that {dict(plan.added)} are added, but its composites hold {counted}.")
        return plan

    def summary(self) -> str:
        """The plan as a person reads it: a row a class."""
        width = max([5, *map(len, self.before)])
        lines = [
            f"strategy {self.strategy.value}, {len(self.composites)} composites",
            f"{'class':<{width}} {'before':>7} {'added':>7} {'after':>7}",
        ]
        after = self.after
        lines += [f"{name:<{width}} {count:>7} {self.added[name]:>+7} {after[name]:>7}" for name, count in self.before.items()]
        lines += [f"{each.class_name}: asked for {each.asked}, planned {each.planned}: {each.reason}" for each in self.shortfalls]
        if self.divergence is not None:
            lines.append(f"divergence from the original class distribution: {self.divergence:.4f} bits (0 same, 1 disjoint)")
        return "\n".join(lines)


def plan(
    before: Mapping[str, int],
    signatures: Mapping[str, Sequence[AvailableSignature]],
    bag_ids: Sequence[str],
    config: PlanConfig,
    seed: int,
    *,
    relative_lengths: Mapping[str, Sequence[float]] | None = None,
) -> CompositePlan:
    """Plan the composites.

    Signatures and bags are used in turn, in an order drawn from the seed, so that none is used twice more than another.

    Args:
        before: Class name -> threats in the dataset; classes to be made from nothing stand with 0.
        signatures: Class name -> what may be projected.
        bag_ids: The benign bags.
        config: What to reach.
        seed: Same seed, same plan.
        relative_lengths: Class name -> lengths of real threats as shares of their bags'; each planned threat draws one.

    Returns:
        The plan, with every cap that made it smaller than asked.

    Raises:
        ConfigError: What the strategy needs is missing or contradicts itself.
        DataError: No benign bags; a class to add to without signatures; ids that occur twice.

    Example:
        >>> library = {name: [AvailableSignature(f"{name}-{n}", OriginKind.REAL) for n in range(9)] for name in ("gun", "knife")}
        >>> made = plan({"gun": 30, "knife": 10}, library, ["bag-1", "bag-2"], PlanConfig(Strategy.EQUALISE), 0)
        >>> print(made.summary())
        strategy equalise, 20 composites
        class  before   added   after
        gun        30      +0      30
        knife      10     +20      30
        divergence from the original class distribution: 0.0488 bits (0 same, 1 disjoint)
    """
    _check(before, signatures, bag_ids, config)
    chosen = {name: before[name] for name in sorted(before) if not config.classes or name in config.classes}
    total = round(config.multiple * sum(chosen.values())) if config.multiple is not None else config.total
    asked = quota(chosen, config.strategy, total, config.targets, config.beta)
    for name, count in asked.items():
        if count and not signatures.get(name):
            raise DataError(
                f"plan: {name!r} is to get {count} threats, but there is no signature of it (signatures exist of "
                f"{sorted(key for key, value in signatures.items() if value)}). Make some, or leave the class out with `classes`."
            )
    capped, reasons = _cap_by_class(chosen, asked, signatures, config)
    sizes = _group_sizes(sum(capped.values()), len(bag_ids) * config.max_bag_reuse, config, stream(seed, "plan", "sizes"))
    added = apportion(sum(sizes), capped) if sum(sizes) < sum(capped.values()) else capped
    reasons |= dict.fromkeys(
        (name for name in capped if added[name] < capped[name]), f"{len(bag_ids)} bags, {config.max_bag_reuse} uses each"
    )
    threats = [
        threat for name, count in added.items() for threat in _threats(name, count, signatures, config, seed, relative_lengths or {})
    ]
    order = stream(seed, "plan", "order").permutation(len(threats))
    bags = _in_turn(list(bag_ids), stream(seed, "plan", "bags"))
    composites, start = [], 0
    for number, size in enumerate(sizes):
        members = tuple(threats[place] for place in order[start : start + size])
        composites.append(PlannedComposite(f"composite-{number:06d}", next(bags), members))
        start += size
    return CompositePlan(
        config.strategy,
        seed,
        {name: before[name] for name in sorted(before)},
        {name: added.get(name, 0) for name in sorted(before)},
        tuple(Shortfall(name, asked[name], added[name], reasons[name]) for name in asked if added[name] < asked[name]),
        tuple(composites),
    )


def _check(
    before: Mapping[str, int], signatures: Mapping[str, Sequence[AvailableSignature]], bag_ids: Sequence[str], config: PlanConfig
) -> None:
    if not bag_ids:
        raise DataError("plan: there are no benign bags to project threats into. Add scans without threats.")
    if len(set(bag_ids)) != len(bag_ids):
        raise DataError("plan: some bag ids occur twice.")
    if not before:
        raise DataError("plan: the dataset has no classes. Name them, with 0 where there are none yet.")
    if min(before.values()) < 0:
        raise DataError(f"plan: counts must not be negative, got {dict(before)}.")
    ids = [each.id for available in signatures.values() for each in available]
    if len(set(ids)) != len(ids):
        raise DataError("plan: some signature ids occur twice.")
    missing = sorted(set(config.classes) - set(before))
    if missing:
        raise ConfigError(f"plan: classes names {missing}, but the dataset has {sorted(before)}.")


def _cap_by_class(
    before: Mapping[str, int], asked: Mapping[str, int], signatures: Mapping[str, Sequence[AvailableSignature]], config: PlanConfig
) -> tuple[dict[str, int], dict[str, str]]:
    capped, reasons = {}, {}
    share = config.max_composite_share
    for name, count in asked.items():
        capped[name] = count
        available = len(signatures.get(name, ()))
        if capped[name] > available * config.max_signature_reuse:
            capped[name] = available * config.max_signature_reuse
            reasons[name] = f"{available} signatures, {config.max_signature_reuse} uses each"
        # added / (before + added) <= share
        if share < 1 and before[name] and capped[name] > (most := int(np.floor(share * before[name] / (1 - share) + 1e-9))):
            capped[name] = most
            reasons[name] = f"composites may be at most {share:.0%} of a class"
    return capped, reasons


def _group_sizes(threats: int, most_composites: int, config: PlanConfig, rng: np.random.Generator) -> list[int]:
    """How many threats each composite holds; as many composites as the bags allow."""
    weights = np.array(config.threats_per_bag_weights, np.float64)
    sizes: list[int] = []
    left = threats
    while left and len(sizes) < most_composites:
        sizes.append(min(left, 1 + int(rng.choice(len(weights), p=weights / weights.sum()))))
        left -= sizes[-1]
    return sizes


def _threats(
    name: str,
    count: int,
    signatures: Mapping[str, Sequence[AvailableSignature]],
    config: PlanConfig,
    seed: int,
    relative_lengths: Mapping[str, Sequence[float]],
) -> list[PlannedThreat]:
    if count == 0:
        return []
    real = [each.id for each in signatures[name] if each.kind is OriginKind.REAL]
    made = [each.id for each in signatures[name] if each.kind is not OriginKind.REAL]
    pools = [(real + made, count)]
    if config.made_share is not None and real and made:
        # Where a kind would be used more often than allowed, the other one steps in.
        reuse = config.max_signature_reuse
        wanted = min(round(config.made_share * count), len(made) * reuse)
        wanted = max(wanted, count - len(real) * reuse)
        pools = [(real, count - wanted), (made, wanted)]
    lengths = relative_lengths.get(name, ())
    drawn = stream(seed, "plan", "lengths", name).integers(max(1, len(lengths)), size=count)
    chosen: list[str] = []
    for number, (pool, size) in enumerate(pools):
        turns = _in_turn(pool, stream(seed, "plan", "signatures", name, number))
        chosen += [next(turns) for _ in range(size)]
    threats = [PlannedThreat(name, signature_id) for signature_id in chosen]
    if not lengths:
        return threats
    return [replace(threat, relative_length=float(lengths[place])) for threat, place in zip(threats, drawn, strict=True)]


def _in_turn(items: Sequence[T], rng: np.random.Generator) -> Iterator[T]:
    """Every item once in random order, then all again in another, for ever."""
    while True:
        for place in rng.permutation(len(items)):
            yield items[place]
