"""What a split put where, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from threatray.datasets.benign_subsets import BenignSubsets


@dataclass(frozen=True)
class PartCounts:
    """One part.

    Args:
        classes: Class -> images with it.
        threats: Images with a threat.
        benign: Benign images.
        groups: Groups, as given or made blocks.
    """

    classes: Mapping[str, int]
    threats: int
    benign: int
    groups: int


@dataclass(frozen=True)
class Leak:
    """An image that shows a bag of a set that was given.

    Args:
        image: Its key.
        part: The given set.
        like: The image there that shows the same bag.
        given: Whether it is itself of a given set, so that it could not be left out.
    """

    image: str
    part: str
    like: str
    given: bool = False

    @property
    def reason(self) -> str:
        """Why it is listed."""
        if self.given:
            return f"shows the same bag as {self.like}: the validation and test sets that were given share it"
        return f"shows the same bag as {self.like} of the {self.part} set that was given; left out, so that it is not trained on"


@dataclass(frozen=True)
class SplitReport:
    """The whole split.

    Args:
        parts: Part -> counts.
        subsets: Part -> benign subsets; empty if none were asked for.
        leaks: Between given sets and the rest.
        bags: Independent bags: images joined by groups and likeness.
        near_duplicates: Whether likeness was looked at.
        block_size: How many numbers made a block.
    """

    parts: Mapping[str, PartCounts]
    subsets: Mapping[str, BenignSubsets]
    leaks: tuple[Leak, ...]
    bags: int
    near_duplicates: bool
    block_size: int

    def text(self) -> str:
        """A page of plain text."""
        lines = [*self._table(), "", *self._checks(), *self._subset_lines()]
        return "\n".join(lines) + "\n"

    def subset_words(self, part: str) -> str:
        """The benign subsets of a part in a line."""
        one = self.subsets[part]
        made = [f"{ratio}:1 = {size}" for ratio, size in one.sizes.items()]
        missing = [f"{ratio}:1 needs {needed}, there are {len(one.order)}" for ratio, needed in one.short.items()]
        return "; ".join(made + missing)

    def _table(self) -> list[str]:
        classes = list(next(iter(self.parts.values())).classes)
        heads = ["images with", *self.parts, "all"]
        rows = {name: [part.classes[name] for part in self.parts.values()] for name in classes}
        kinds = {kind: [getattr(part, kind) for part in self.parts.values()] for kind in ("threats", "benign", "groups")}
        counted = [*rows.items(), *kinds.items()]
        cells = [heads, *([name, *(f"{count:,}" for count in counts), f"{sum(counts):,}"] for name, counts in counted)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
        text = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]
        return [text[0], "-" * len(text[0]), *text[1 : 1 + len(classes)], "-" * len(text[0]), *text[1 + len(classes) :]]

    def _checks(self) -> list[str]:
        kept = "groups" + (f" in blocks of {self.block_size} numbers" if self.block_size > 1 else "")
        if self.near_duplicates:
            kept += ", byte copies, and images that show one bag as far as their pixels tell"
        lines = [f"Kept together: {kept}. That leaves {self.bags:,} independent bags.", "Leak check: no bag is in two parts."]
        if not self.near_duplicates:
            lines[1] = "Leak check: no group is in two parts. Pictures were not compared (near_duplicates is off)."
        left_out = [leak for leak in self.leaks if not leak.given]
        shared = [leak for leak in self.leaks if leak.given]
        if left_out:
            example = f"{left_out[0].image} as {left_out[0].like}"
            lines.append(f"Left out of training: {len(left_out):,} images that show a bag of a given set, e.g. {example}.")
        if shared:
            lines.append(f"WARNING: the given validation and test sets share bags in {len(shared):,} images, e.g. {shared[0].image}.")
        return lines

    def _subset_lines(self) -> list[str]:
        if not self.subsets:
            return []
        lines = ["", "Benign images for each image with a threat, one subset inside the next (nothing is repeated to fill one):"]
        return [*lines, *(f"  {name}: {self.subset_words(name)}" for name in self.subsets)]
