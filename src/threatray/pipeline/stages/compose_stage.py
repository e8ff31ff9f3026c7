"""Carry out a plan: project signatures into benign bags and write a labelled dataset."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from threatray.balance.plan import CompositePlan, PlannedComposite
from threatray.core import stream
from threatray.core.files import read_json, whole_file, write_json
from threatray.core.manifest import RunManifest, SetAside
from threatray.datasets.formats.coco import ImageFiles, ImageRecord, Thing
from threatray.datasets.formats.coco_stream import write_annotation_stream
from threatray.datasets.window_mask import encode_window
from threatray.errors import ConfigError, DataError
from threatray.pipeline.further_formats import check_formats, write_formats
from threatray.pipeline.gallery import chosen, write_gallery
from threatray.pipeline.held_back import refuse_held_back
from threatray.pipeline.laws import ChannelLaws, Laws, PaletteLaws
from threatray.pipeline.layers import write_layers
from threatray.pipeline.palettes import ScannerPalettes
from threatray.pipeline.sources import Located, Role, Sources, Taxonomy, clipping_summary
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.pipeline.stages.plan_stage import PLAN_FILE
from threatray.pipeline.stages.signatures_stage import read_places, read_stage_palettes
from threatray.pipeline.stored_bag import ImageOutput, StoredBag, write_levels
from threatray.pipeline.workers import JobResults, run_jobs_to_disk
from threatray.tip.bag_map import BagMap
from threatray.tip.compose import CompositeParams
from threatray.tip.draw import ComposeConfig, draw_composite, scanner_noise
from threatray.tip.levels import ChannelLaw, Law, LevelsComposite, WindowMask, compose_levels
from threatray.tip.library import SignatureLibrary
from threatray.tip.refusal import Refused
from threatray.tip.signature_cache import CachedLibrary

COMPOSITES: Final = "composites.jsonl"
REFUSED: Final = "refused.json"
UNREADABLE: Final = "bag cannot be read"

_MOST_AT_ONCE: Final = 32
"""Composites of one bag in one job: the bag is decoded and searched once for all of them."""


@dataclass(frozen=True)
class OutputConfig(ImageOutput):
    """What is written beside ``annotations.json`` (COCO, masks as run lengths).

    Args:
        images: As the bag was stored (``keep``: a JPEG with the same quality and subsampling, else without loss), or always as
            ``png``, ``tiff`` or ``jpeg``. Sixteen bits are never reduced: they are written as PNG or TIFF whatever is asked.
        jpeg_quality: Of ``jpeg`` where the bag's own is unknown.
        layers: Also write what each composite was made of, as ground truth: the bag alone as it was stored, and every threat's own
            transmission with 16 bits, each in the picture's frame.
        formats: Further formats to write the same dataset in, each in a folder of its name.
    """

    layers: bool = False
    formats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.formats)) != len(self.formats) or "coco" in self.formats:
            raise ConfigError(f"compose: formats must be named once and without coco, which is always written, got {list(self.formats)}.")


@dataclass(frozen=True)
class _Shared:
    config: ComposeConfig
    output: OutputConfig
    sources: Sources
    bags: Mapping[str, Located]
    library: CachedLibrary
    positions: Mapping[str, list[tuple[float, float]]]
    seed: int
    folder: Path
    palettes: ScannerPalettes | None = None

    @property
    def laws(self) -> Laws:
        """Colour by its two energies where the scanners' palettes are known."""
        return ChannelLaws() if self.palettes is None else PaletteLaws(self.palettes)


def compose(
    config: ComposeConfig,
    taxonomy: Taxonomy,
    paths: Mapping[Role, Path],
    plan: Path,
    signatures: Path,
    library: Path,
    out: Path,
    run: Run,
    output: OutputConfig = OutputConfig(),
) -> RunManifest:
    """Write a COCO dataset of composites, ``composites.jsonl`` to replay each of them, ``refused.json`` and ``gallery/``.

    Args:
        config: How threats are put into bags.
        taxonomy: Classes that count.
        paths: The datasets; the plan's bags are found in them.
        plan: Folder of ``threatray plan``.
        signatures: Folder of ``threatray signatures``, for the places of real threats.
        library: The signature library that the plan names.
        out: Folder to make.
        run: How.
        output: What is written.

    Raises:
        ConfigError: No such format, or none that can be written.
        DataError: The plan names bags or signatures that are not there, or every composite was refused.
    """
    refuse_held_back("compose", signatures, library)

    def body(work: Path) -> Outcome:
        check_formats(output.formats)
        sources = Sources.open(paths, taxonomy, strict=run.strict)
        wanted = CompositePlan.from_json(read_json(plan / PLAN_FILE), str(plan / PLAN_FILE))
        bags = {located.key: located for role in sources.datasets for located in sources.located(role)}
        for composite in wanted.composites:
            if composite.bag_id not in bags:
                raise DataError(f"{plan / PLAN_FILE}: the bag {composite.bag_id!r} is not in the datasets. Plan again.")
        _, positions = read_places(signatures)
        used = {composite.bag_id: bags[composite.bag_id] for composite in wanted.composites}
        opened = CachedLibrary(SignatureLibrary.open(library))
        shared = _Shared(config, output, sources, used, opened, positions, run.seed, work, read_stage_palettes(signatures))
        with run.progress.task("compose", "bag") as update:
            done = run_jobs_to_disk(
                compose_bag, shared, by_bag(wanted.composites), workers=run.workers, update=update, ledger=work / ".composites.ledger"
            )
        return _collect(done, shared)

    inputs = {"plan": plan, "signatures": signatures, "library": library, **{role.value: path for role, path in paths.items()}}
    settings = {"compose": config, "output": output, "taxonomy": taxonomy}
    return run_stage("compose", settings, inputs, out, run, body)


def by_bag(composites: Sequence[PlannedComposite]) -> list[tuple[PlannedComposite, ...]]:
    """The composites of one bag together, bags in the order of their first."""
    groups: dict[str, list[list[PlannedComposite]]] = {}
    for composite in composites:
        chunks = groups.setdefault(composite.bag_id, [[]])
        if len(chunks[-1]) >= _MOST_AT_ONCE:
            chunks.append([])
        chunks[-1].append(composite)
    return [tuple(chunk) for chunks in groups.values() for chunk in chunks]


def compose_bag(shared: _Shared, planned: tuple[PlannedComposite, ...]) -> list[dict[str, Any]]:
    """All composites of one bag: made, or refused with the reason."""
    located = shared.bags[planned[0].bag_id]
    try:
        bag, clipped = StoredBag.read(shared.sources, located)
        known = BagMap.of_levels(bag.scan.levels, bag.white, shared.config.bag)
        law = shared.laws.of(bag, known)
        photon = scanner_noise(shared.config, law, bag.scan, known.air)
    except DataError as error:  # a bag that cannot be read, or shows no air
        return [{"item": each.id, "kind": UNREADABLE, "reason": str(error)} for each in planned]
    found = _Bag(located, bag, known, law, photon)
    return [_composed(shared, each, found) | {"clipped": clipped} for each in planned]


@dataclass(frozen=True, eq=False)
class _Bag:
    """What is found once of a bag, for all of its composites."""

    located: Located
    stored: StoredBag
    known: BagMap
    law: Law
    levels_per_photon: tuple[float, ...]


def _composed(shared: _Shared, planned: PlannedComposite, bag: _Bag) -> dict[str, Any]:
    drawn = draw_composite(
        bag.known,
        planned.bag_id,
        [shared.library.load(threat.signature_id) for threat in planned.threats],
        stream(shared.seed, "compose", planned.id),
        shared.config,
        relative_lengths=[threat.relative_length for threat in planned.threats],
        positions=shared.positions,
        levels_per_photon=bag.levels_per_photon,
    )
    if isinstance(drawn, Refused):
        return {"item": planned.id, "kind": drawn.reason.value, "reason": str(drawn)}
    try:
        made = replay(bag.stored, drawn, shared.library, bag.law)
    except DataError as error:
        return {"item": planned.id, "kind": "cannot be projected", "reason": str(error)}
    files = write_levels(shared.folder, planned.id, bag.stored, made.levels, shared.output)
    if shared.output.layers:
        write_layers(shared.folder, planned.id, bag.located.entry, made, bag.stored.scan.size)
    record = _record(planned.id, bag.located, bag.stored, made, files)
    return {"id": planned.id, "params": drawn.as_json(), "record": record, "labels": [thing.label for thing in made.things]}


def replay(bag: StoredBag, params: CompositeParams, library: SignatureLibrary | CachedLibrary, law: Law | None = None) -> LevelsComposite:
    """Make a composite again from its recorded parameters, level for level."""
    return compose_levels(bag.scan, params, library.load, law or ChannelLaw())


def _record(item_id: str, located: Located, bag: StoredBag, made: LevelsComposite, files: ImageFiles) -> ImageRecord:
    height, width = bag.scan.size
    entry = located.entry
    provenance = entry.provenance.joined(*(threat.origin.provenance for threat in made.placed))
    record: ImageRecord = {
        "id": item_id,
        "width": width,
        "height": height,
        "group": f"{located.role.value}:{entry.group}",  # so that no split can hide the bag
        "source": provenance.source,
        "licence": provenance.licence,
        "colour": files.colour,
        "low_energy": files.low_energy,
        "high_energy": files.high_energy,
        "things": [_thing(thing, height, width) for thing in made.things],
    }
    if bag.white is not None:
        record["white_level"] = bag.white_level
    return record


def _thing(thing: WindowMask, height: int, width: int) -> Thing:
    amodal = encode_window(thing.amodal, thing.x, thing.y, height, width)
    whole = np.array_equal(thing.amodal, thing.visible)
    visible = amodal if whole else encode_window(thing.visible, thing.x, thing.y, height, width)
    return cast("Thing", {"box": list(thing.box), "label": thing.label, "segmentation": amodal, "visible": visible})


def _collect(done: JobResults, shared: _Shared) -> Outcome:
    """Write the annotations from the ledger, in the order of the composites' ids, without holding them all."""
    work, output, sources = shared.folder, shared.output, shared.sources
    counts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    clipped: list[Mapping[str, int]] = []
    refused: list[dict[str, str]] = []
    where: list[tuple[str, str, tuple[int, int]]] = []
    for offset, results in done.offsets():
        clipped += [results[0].get("clipped", {})] if results else []
        for place, entry in enumerate(results):
            if "reason" in entry:
                kinds[entry["kind"]] += 1
                refused.append({"item": entry["item"], "kind": entry["kind"], "reason": entry["reason"]})
            else:
                counts.update(entry["labels"])
                where.append((entry["id"], sys.intern(entry["labels"][0]), (offset, place)))
    if refused and not where:
        raise DataError(f"compose: all {len(refused)} composites were refused, e.g. {refused[0]['item']}: {refused[0]['reason']}.")
    where.sort()

    def made() -> Iterator[dict[str, Any]]:
        with done.reader() as at:
            for _, _, (offset, place) in where:
                yield at(offset)[place]

    write_annotation_stream(work, sources.classes(), lambda: (entry["record"] for entry in made()))
    with whole_file(work / COMPOSITES) as temporary, temporary.open("w", encoding="utf-8") as handle:
        for entry in made():
            handle.write(json.dumps({"id": entry["id"], **entry["params"]}, sort_keys=True) + "\n")
    with done.reader() as at:
        shown = [(name, label, CompositeParams.from_json(at(offset)[place]["params"])) for name, label, (offset, place) in chosen(where)]
    write_gallery(work, sources, shared.bags, shown, shared.library.library, shared.palettes)
    refused.sort(key=lambda entry: entry["item"])
    write_json(work / REFUSED, refused)
    aside = [SetAside(entry["item"], entry["reason"]) for entry in refused]
    aside += write_formats(work, output.formats)
    summary = {
        "composites": len(where),
        "threats": dict(sorted(counts.items())),
        "refused": len(refused),
        "refused_by_kind": dict(sorted(kinds.items())),
        **clipping_summary(clipped),
    }
    return Outcome(summary, tuple(aside))
