"""Known traps of X-ray sets, looked for in the figures: each with what was seen, how sure it is, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations, pairwise
from typing import Final

import numpy as np

from threatray.datasets.entry_table import EntryTable, Said
from threatray.datasets.quantile_sketch import separability
from threatray.datasets.scanners import ScannerCluster
from threatray.datasets.tally import Tally

Places = Sequence[int]
"""Places in the entry table."""

_ENOUGH: Final = 20
"""Images on each side below which no trap is claimed."""

_TELLS: Final = 0.75
_FEWER_ERRORS: Final = 0.3
"""Share of a blind guess's errors that knowing the scanner must spare."""
_RARE: Final = 20
_STEEP: Final = 20
_NEIGHBOURS: Final = 5
_MOST_EXAMPLES: Final = 8
_LIES_ALIKE: Final = 2
_MORE_OUTSIDE: Final = 3
_TELLING: Final = 0.1
"""Share of the labelled images with much dense matter outside the box from which it is likely that tools are among it."""


class Sureness(StrEnum):
    """How sure a trap is."""

    SEEN = "seen"
    LIKELY = "likely"
    POSSIBLE = "possible"


@dataclass(frozen=True)
class Trap:
    """Something about a set that misleads who does not know it.

    Args:
        kind: A stable name, for programs.
        sureness: Seen in the data itself, likely from its figures, or merely possible.
        headline: What it is, in a sentence.
        advice: What to do.
        examples: Groups of ids that show it.
    """

    kind: str
    sureness: Sureness
    headline: str
    advice: str
    examples: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What traps are looked for in.

    Args:
        tally: Counts.
        table: Entries.
        exact: Groups of places with the same bytes.
        near: Groups of places that show one bag, copies included.
        scanners: Clusters.
    """

    tally: Tally
    table: EntryTable
    exact: Sequence[Places] = ()
    near: Sequence[Places] = ()
    scanners: Sequence[ScannerCluster] = field(default=())


def find_traps(evidence: Evidence) -> tuple[Trap, ...]:
    """All traps that show, those that were seen first."""
    found = [trap for look in _LOOKS for trap in look(evidence)]
    return tuple(sorted(found, key=lambda trap: list(Sureness).index(trap.sureness)))


def best_overlap(first: Said, second: Said) -> float:
    """The largest intersection over union of any box of one with any box of the other.

    Example:
        >>> best_overlap((("gun", (0, 0, 10, 10)),), (("gun", (5, 0, 15, 10)),))
        0.3333333333333333
    """
    best = 0.0
    for _, (x0, y0, x1, y1) in first:
        for _, (u0, v0, u1, v1) in second:
            wide, high = min(x1, u1) - max(x0, u0), min(y1, v1) - max(y0, v0)
            if wide > 0 and high > 0:
                shared = wide * high
                best = max(best, shared / ((x1 - x0) * (y1 - y0) + (u1 - u0) * (v1 - v0) - shared))
    return best


def contradictions(table: EntryTable, exact: Sequence[Places]) -> list[tuple[int, int, float]]:
    """Pairs of byte-identical images that say different things, with the best overlap of their boxes."""
    found = []
    for group in exact:
        for first, second in combinations(group, 2):
            one, other = table.said(first), table.said(second)
            if one != other:
                found.append((first, second, best_overlap(one, other)))
    return found


def _one_box(evidence: Evidence) -> list[Trap]:
    tally = evidence.tally
    counts = {count for count in tally.things_per_image if count}
    used = [name for name, one in tally.classes.items() if one.instances]
    if counts != {1} or len(used) < 2 or tally.threats < _ENOUGH:
        return []
    table = evidence.table
    one = f"Every labelled image has exactly one box, though the set has {len(used)} classes: "
    headline, sureness = f"{one}either each bag holds one threat, or other tools in it have no box.", Sureness.POSSIBLE
    advice = (
        "Do not count a detection outside the box as a false alarm, do not cut bags with threats as benign background, "
        "and judge false alarms on benign images only."
    )
    unboxed = [group for group in evidence.near if _boxes_differ(table, group)]
    if unboxed:
        headline = (
            f"{one}other tools in the same bag have no box. In {len(unboxed)} group(s) of images that lie alike, they mark two things."
        )
        return [Trap("one_box_an_image", Sureness.SEEN, headline, advice, _examples(table, unboxed))]
    dark = table.dark_outside
    if not len(dark):
        return [Trap("one_box_an_image", sureness, headline, advice)]
    labelled = np.flatnonzero(~table.benign & table.readable)
    more = labelled[dark[labelled] > _MORE_OUTSIDE]
    if len(more) >= _TELLING * len(labelled):
        sureness = Sureness.LIKELY
        headline = (
            f"{one}other tools in the same bag have no box. In {len(more)} of them ({len(more) / len(labelled):.0%}) over {_MORE_OUTSIDE} "
            "times as much matter as dense as the boxed thing lies outside its box; how much of it is tools, the pictures tell."
        )
    spaced = np.unique(np.linspace(0, len(more) - 1, min(len(more), _MOST_EXAMPLES)).round().astype(np.int64))
    return [Trap("one_box_an_image", sureness, headline, advice, _examples(table, [[int(more[place])] for place in spaced]))]


def _boxes_differ(table: EntryTable, group: Places) -> bool:
    """Whether images that lie alike pixel for pixel, as far as all hashes tell, are boxed at places that have nothing in common.

    A bag that was packed anew, or lies elsewhere in the picture, proves nothing.
    """
    for first, second in pairwise(group):
        hashes = zip(table.codes_of(first), table.codes_of(second), strict=True)
        alike = all((one ^ other).bit_count() <= _LIES_ALIKE for one, other in hashes)
        told = _relative(table, first), _relative(table, second)
        if alike and all(told) and best_overlap(*told) == 0.0:
            return True
    return False


def _relative(table: EntryTable, place: int) -> Said:
    width, height = table.sizes_of(place)
    return tuple((label, (x0 / width, y0 / height, x1 / width, y1 / height)) for label, (x0, y0, x1, y1) in table.said(place))


def _contradictory(evidence: Evidence) -> list[Trap]:
    pairs = contradictions(evidence.table, evidence.exact)
    if not pairs:
        return []
    labels = Counter(label for first, second, _ in pairs for place in (first, second) for label, _ in evidence.table.said(place))
    overlaps = np.array([overlap for _, _, overlap in pairs])
    apart = int((overlaps < 0.1).sum())
    headline = (
        f"{len(pairs)} pair(s) of byte-identical images have different boxes ({', '.join(sorted(labels))}); the boxes of a pair overlap "
        f"by {np.median(overlaps):.2f} in the median (intersection over union)" + (f", {apart} pair(s) hardly at all." if apart else ".")
    )
    advice = "Keep one of each pair, or both boxes if they mark two things. The overlap is also how well people agree on a box here."
    order = sorted(pairs, key=lambda pair: pair[2])
    return [Trap("contradictory_copies", Sureness.SEEN, headline, advice, _examples(evidence.table, [pair[:2] for pair in order]))]


def _benign_like_threats(evidence: Evidence) -> list[Trap]:
    if not evidence.near:
        return []
    benign = evidence.table.benign
    mixed = [group for group in evidence.near if len({bool(benign[place]) for place in group}) == 2]
    if not mixed:
        return []
    images = sum(int(benign[list(group)].sum()) for group in mixed)
    headline = f"{images} image(s) said to be benign look like an image of the same bag in which a threat is labelled."
    advice = "Look at them: mislabelled benign images turn right detections into false alarms. List their ids as mislabelled."
    return [Trap("benign_like_threat", Sureness.LIKELY, headline, advice, _examples(evidence.table, mixed))]


def _size_tells(evidence: Evidence) -> list[Trap]:
    benign, threat = (evidence.tally.area[kind] for kind in (True, False))
    if min(len(benign), len(threat)) < _ENOUGH:
        return []
    chance = separability(benign, threat)
    if max(chance, 1 - chance) < _TELLS:
        return []
    more = "larger" if chance > 0.5 else "smaller"
    headline = (
        f"Benign images are {more} than those with threats: by size alone {max(chance, 1 - chance):.0%} of such pairs are told apart."
    )
    advice = "Scale or crop all images alike before training, or a classifier learns the size."
    return [Trap("size_tells_benign", Sureness.SEEN, headline, advice)]


def _scanner_tells(evidence: Evidence) -> list[Trap]:
    found = []
    if len(evidence.scanners) < 2:
        return []
    table, benign = evidence.table, evidence.table.benign
    rows = [("benign" if benign[place] else "threat", cluster) for cluster, one in enumerate(evidence.scanners) for place in one.members]
    kinds = [(_class_of(table.said(int(place))), cluster) for cluster, one in enumerate(evidence.scanners) for place in one.members]
    for kind, what, told in (
        ("scanner_tells_benign", "benign from threat", rows),
        ("scanner_tells_class", "the classes of threats", [one for one in kinds if one[0]]),
    ):
        base, guess = _guess(told)
        if len(told) >= _ENOUGH and guess - base >= _FEWER_ERRORS * (1 - base) > 0:
            headline = f"The scanner tells {what}: who knows only the cluster guesses {guess:.0%} right, who knows nothing {base:.0%}."
            advice = "Report results for each scanner, and do not let one kind of image come from one scanner only."
            found.append(Trap(kind, Sureness.LIKELY, headline, advice))
    return found


def _class_of(said: Said) -> str:
    names = {label for label, _ in said}
    return names.pop() if len(names) == 1 else ""


def _guess(told: Sequence[tuple[str, int]]) -> tuple[float, float]:
    """Share guessed right without and with the cluster."""
    if not told:
        return 0.0, 0.0
    alone = Counter(name for name, _ in told)
    inside: dict[int, Counter[str]] = {}
    for name, cluster in told:
        inside.setdefault(cluster, Counter())[name] += 1
    return max(alone.values()) / len(told), sum(max(counts.values()) for counts in inside.values()) / len(told)


def _published_parts_leak(evidence: Evidence) -> list[Trap]:
    named = [place for place, name in enumerate(evidence.table.parts) if name]
    if len(named) < 2 or not evidence.near:
        return []
    parts = evidence.table.part_numbers
    cut = [group for group in evidence.near if len({int(parts[place]) for place in group} & set(named)) > 1]
    if not cut:
        return []
    headline = (
        f"The published parts ({', '.join(name for name in evidence.table.parts if name)}) cut {len(cut)} group(s) of images of one bag "
        f"({sum(map(len, cut))} images): what is tested has been trained on."
    )
    return [
        Trap(
            "published_parts_leak",
            Sureness.SEEN,
            headline,
            "Split anew: threatray split keeps them together.",
            _examples(evidence.table, cut),
        )
    ]


def _neighbours(evidence: Evidence) -> list[Trap]:
    if not evidence.near:
        return []
    numbers = evidence.table.numbers
    steps = [
        abs(int(numbers[a]) - int(numbers[b])) for group in evidence.near for a, b in pairwise(group) if min(numbers[a], numbers[b]) >= 0
    ]
    if len(steps) < _ENOUGH:
        return []
    close = sum(step <= _NEIGHBOURS for step in steps) / len(steps)
    if close < 0.5:
        return []
    headline = (
        f"{close:.0%} of the images that show one bag again lie within {_NEIGHBOURS} numbers of it: a split that deals ids in turn leaks."
    )
    return [Trap("neighbours_alike", Sureness.SEEN, headline, "Split by groups or blocks of ids (threatray split), never in turn.")]


def _whole_labels(evidence: Evidence) -> list[Trap]:
    if not evidence.tally.whole_only:
        return []
    headline = f"{evidence.tally.whole_only} image(s) are labelled as a whole, without a box: they hold threats, but where is not said."
    return [Trap("labels_without_boxes", Sureness.SEEN, headline, "They are counted neither as benign nor as boxed threats.")]


def _imbalance(evidence: Evidence) -> list[Trap]:
    counts = {name: one.instances for name, one in evidence.tally.classes.items() if one.instances}
    found = []
    rare = sorted(name for name, count in counts.items() if count < _RARE)
    if len(counts) > 1 and max(counts.values()) >= _STEEP * min(counts.values()):
        top, low = max(counts, key=lambda name: counts[name]), min(counts, key=lambda name: counts[name])
        headline = f"Steep imbalance: {counts[top]:,} of {top} for {counts[low]:,} of {low}."
        found.append(Trap("imbalance", Sureness.SEEN, headline, "See threatray plan; report each class by itself."))
    if rare:
        headline = f"Fewer than {_RARE} things of {', '.join(rare)}: no figure for them will mean much."
        found.append(Trap("rare_classes", Sureness.SEEN, headline, "Join classes, or bring more."))
    return found


def _odd_boxes(evidence: Evidence) -> list[Trap]:
    tally = evidence.tally
    said = {
        "image(s) hold the same box twice": tally.repeated_boxes,
        "box(es) cover the whole image": tally.full_image_boxes,
        "box(es) are under four pixels wide or high": tally.tiny_boxes,
    }
    seen = [f"{count} {words}" for words, count in said.items() if count]
    return [Trap("odd_boxes", Sureness.SEEN, f"{'; '.join(seen)}.".capitalize(), "Look at them before training.")] if seen else []


def _examples(table: EntryTable, groups: Sequence[Places]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(table.id(int(place)) for place in group) for group in groups[:_MOST_EXAMPLES])


_LOOKS: Final = (
    _contradictory, _one_box, _benign_like_threats, _published_parts_leak, _size_tells, _scanner_tells, _neighbours, _whole_labels,
    _imbalance, _odd_boxes,
)  # fmt: skip
