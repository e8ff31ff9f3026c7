"""Count what is in the datasets, and write it as JSON and as a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from threatray.core.files import write_json, write_text
from threatray.core.manifest import RunManifest, SetAside
from threatray.datasets.dataset import Entry
from threatray.datasets.entry_table import EntryTable
from threatray.datasets.formats.format import ReadOptions
from threatray.datasets.formats.registry import stream_dataset
from threatray.datasets.inspect import Inspection, Inspector
from threatray.datasets.measure import Measurement, measure
from threatray.datasets.taxonomy import Taxonomy, Vocabulary
from threatray.errors import DataError
from threatray.pipeline.sources import Role
from threatray.pipeline.stage import Outcome, Run, fingerprint, listing_fingerprint, run_stage
from threatray.pipeline.workers import stream_jobs
from threatray.report.inspection import build_inspection, render_inspection

INSPECT_FILE: Final = "inspect.json"
PAGE_FILE: Final = "inspect.html"
_OVER_SETS: Final = ("published_parts_leak", "benign_like_threat", "size_tells_benign", "scanner_tells_benign")
"""Traps that only show when the datasets of several roles are looked at together."""


@dataclass(frozen=True)
class InspectConfig:
    """What is looked at.

    Args:
        pixels: Decode every image small: copies, scanners, occlusion proxies, broken files. Without it annotations are counted only.
        pictures: Put thumbnails of the user's own images into the page.
    """

    pixels: bool = True
    pictures: bool = True


def inspect(
    taxonomy: Taxonomy,
    paths: Mapping[Role, Path],
    out: Path,
    run: Run,
    *,
    format_name: str | None = None,
    config: InspectConfig = InspectConfig(),
) -> RunManifest:
    """Write ``inspect.json`` and ``inspect.html``: counts, sizes, scanners, copies, traps and faults of every dataset given.

    Args:
        taxonomy: What labels mean.
        paths: Role -> dataset folder.
        out: Folder to make.
        run: How.
        format_name: The labelled dataset's format, if it shall not be detected.
        config: What is looked at.
    """

    def body(work: Path) -> Outcome:
        inspected: dict[Role, Inspection] = {}
        tables: dict[Role, EntryTable] = {}
        together = Inspector(Path(), (), pixels=config.pixels, scratch=work) if len(paths) > 1 else None
        for role, path in paths.items():
            options = ReadOptions(strict=run.strict, headers=config.pixels, mislabelled=frozenset(taxonomy.mislabelled))
            stream = stream_dataset(path, format_name if role is Role.LABELLED else None, options)
            inspector = Inspector(stream.root, stream.classes, pixels=config.pixels, scratch=work)
            with run.progress.task(f"inspect {role.value}", "image") as update:
                for done, (entry, measured) in enumerate(_measured(stream.entries, config.pixels, run.workers), 1):
                    inspector.add(entry, measured)
                    if together is not None:
                        together.add(replace(entry, id=f"{role.value}:{entry.id}", part=role.value), measured)
                    update(done, 0)
            found = stream.faults.found
            if not len(inspector.table):
                first = f"the first: {found[0].item}: {found[0].reason}" if found else "none found"
                raise DataError(f"{path}: holds no usable image ({first}).")
            inspected[role] = inspector.finish(stream.format_name, found, (*stream.faults.notes(), *stream.notes()))
            tables[role] = inspector.table
        said = {role.value: {"labels": _labels(one, taxonomy), "name": paths[role].resolve().name} for role, one in inspected.items()}
        written: dict[str, Any] = {"datasets": {role.value: {**one.as_json(), **said[role.value]} for role, one in inspected.items()}}
        if together is not None:
            joint = together.finish("together").as_json()
            over = [trap for trap in joint["traps"] if trap["kind"] in _OVER_SETS]
            written["together"] = {"traps": over, "scanners": joint["scanners"]}
        write_json(work / INSPECT_FILE, written)
        lookup = {**{role.value: table for role, table in tables.items()}, "": together.table if together is not None else None}
        write_text(work / PAGE_FILE, render_inspection(build_inspection(written, lookup if config.pictures else {})))
        return Outcome(_summary(inspected, written), _left_out(inspected, taxonomy))

    inputs = {role.value: path for role, path in paths.items()}
    identify = fingerprint if config.pixels else listing_fingerprint
    settings = {"taxonomy": taxonomy, "format": format_name, "inspect": config}
    return run_stage("inspect", settings, inputs, out, run, body, identify=identify)


def _measured(entries: Iterable[Entry], pixels: bool, workers: int) -> Iterator[tuple[Entry, Measurement | None]]:
    if pixels:
        yield from stream_jobs(measure, entries, workers=workers)
    else:
        for entry in entries:
            yield entry, None


def _labels(one: Inspection, taxonomy: Taxonomy) -> dict[str, Any]:
    """What each label of a dataset stands for, or why it does not count."""
    words = taxonomy.vocabulary or Vocabulary.shipped()
    said: dict[str, Any] = {}
    for label in one.instances_per_class:
        known = words.find(label, one.format_name)
        counts_as = taxonomy.name_of(label, one.format_name)
        near = None if known is not None else words.nearest(label)
        said[label] = {
            "class": known,
            "wider": list(words.wider(known)) if known is not None else [],
            "threat": words.classes[known].threat if known is not None else None,
            "counts_as": counts_as,
            "nearest": near,
            "why_not": "" if counts_as is not None else taxonomy.why_not(label, one.format_name),
        }
    return said


def _summary(inspected: Mapping[Role, Inspection], written: Mapping[str, Any]) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for role, one in inspected.items():
        said: dict[str, Any] = {
            "format": one.format_name,
            "images": one.images,
            "labelled": one.threat_images,
            "benign": one.benign_images,
            "instances": ", ".join(f"{name} {count}" for name, count in one.instances_per_class.items()) or "none",
        }
        unknown = [name for name, found in written["datasets"][role.value]["labels"].items() if found["class"] is None]
        if unknown:
            said["labels the taxonomy does not know"] = ", ".join(unknown)
        if one.pixels_read:
            said |= {
                "exact duplicates": len(one.exact_duplicates),
                "of these with different boxes": len(one.contradictory_duplicates),
                "near-duplicate groups": len(one.near_duplicates),
                "scanners": len(one.scanners),
            }
        if one.traps:
            said["traps"] = {trap.kind: {trap.sureness.value: trap.headline} for trap in one.traps}
        summary[role.value] = said
    return summary


def _left_out(inspected: Mapping[Role, Inspection], taxonomy: Taxonomy) -> tuple[SetAside, ...]:
    left = [
        SetAside(f"{role.value}: {fault.item}", fault.reason)
        for role, one in inspected.items()
        for fault in (*one.set_aside, *one.unreadable)
    ]
    for role, one in inspected.items():
        for label, count in one.instances_per_class.items():
            if count and taxonomy.name_of(label, one.format_name) is None:
                reason = f"{count} box(es) do not count: {taxonomy.why_not(label, one.format_name)}"
                left.append(SetAside(f"{role.value}: label {label!r}", reason))
    return tuple(left)
