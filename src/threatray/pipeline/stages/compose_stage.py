"""Carry out a plan: project signatures into benign bags and write a labelled dataset."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from threatray.balance.plan import CompositePlan, PlannedComposite
from threatray.core import Quantity, Sample, XrayImage, stream
from threatray.core.files import read_json, write_json, write_text
from threatray.core.manifest import RunManifest, SetAside
from threatray.datasets.formats.coco import ImageRecord, image_record, write_annotations, write_images
from threatray.errors import DataError
from threatray.pipeline.gallery import write_gallery
from threatray.pipeline.sources import Loaded, Located, Role, Sources, Taxonomy, clipping_summary
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.pipeline.stages.plan_stage import PLAN_FILE
from threatray.pipeline.stages.signatures_stage import read_places
from threatray.pipeline.views import TransmissionView
from threatray.pipeline.workers import run_jobs
from threatray.tip.compose import ComposeConfig, CompositeParams, apply_composite, draw_composite
from threatray.tip.library import SignatureLibrary
from threatray.tip.refusal import Refused

COMPOSITES: Final = "composites.jsonl"
REFUSED: Final = "refused.json"


@dataclass(frozen=True)
class _Shared:
    config: ComposeConfig
    sources: Sources
    bags: Mapping[str, Located]
    library: SignatureLibrary
    positions: Mapping[str, list[tuple[float, float]]]
    quantity: Quantity
    seed: int
    folder: Path


def compose(
    config: ComposeConfig,
    taxonomy: Taxonomy,
    paths: Mapping[Role, Path],
    plan: Path,
    signatures: Path,
    library: Path,
    out: Path,
    run: Run,
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

    Raises:
        DataError: The plan names bags or signatures that are not there, or every composite was refused.
    """

    def body(work: Path) -> Outcome:
        sources = Sources.open(paths, taxonomy, strict=run.strict)
        wanted = CompositePlan.from_json(read_json(plan / PLAN_FILE), str(plan / PLAN_FILE))
        bags = {located.key: located for role in sources.datasets for located in sources.located(role)}
        for composite in wanted.composites:
            if composite.bag_id not in bags:
                raise DataError(f"{plan / PLAN_FILE}: the bag {composite.bag_id!r} is not in the datasets. Plan again.")
        _, positions = read_places(signatures)
        used = {composite.bag_id: bags[composite.bag_id] for composite in wanted.composites}
        opened = SignatureLibrary.open(library)
        shared = _Shared(config, sources, used, opened, positions, sources.quantity, run.seed, work)
        with run.progress.task("compose", "composite") as update:
            done = run_jobs(_compose_one, shared, wanted.composites, workers=run.workers, update=update, ledger=work / ".composites.ledger")
        made = [entry for entry in done if "params" in entry]
        refused = [{"item": entry["item"], "reason": entry["reason"]} for entry in done if "reason" in entry]
        if wanted.composites and not made:
            raise DataError(f"compose: all {len(done)} composites were refused, e.g. {refused[0]['item']}: {refused[0]['reason']}.")
        write_annotations(work, sources.classes(), [entry["record"] for entry in made])
        lines = [json.dumps({"id": entry["id"], **entry["params"]}, sort_keys=True) for entry in made]
        write_text(work / COMPOSITES, "".join(line + "\n" for line in lines))
        write_json(work / REFUSED, refused)
        drawn = [(entry["id"], entry["labels"][0], CompositeParams.from_json(entry["params"])) for entry in made]
        write_gallery(work, sources, used, drawn, opened)
        counts = Counter(label for entry in made for label in entry["labels"])
        summary = {"composites": len(made), "threats": dict(sorted(counts.items())), "refused": len(refused)}
        summary |= clipping_summary(entry["clipped"] for entry in made)
        return Outcome(summary, tuple(SetAside(**entry) for entry in refused))

    inputs = {"plan": plan, "signatures": signatures, "library": library, **{role.value: path for role, path in paths.items()}}
    return run_stage("compose", {"compose": config, "taxonomy": taxonomy}, inputs, out, run, body)


def _compose_one(shared: _Shared, planned: PlannedComposite) -> dict[str, Any]:
    try:
        return _composed(shared, planned)
    except DataError as error:  # a bag that cannot be read, or shows no air
        return {"item": planned.id, "reason": str(error)}


def _composed(shared: _Shared, planned: PlannedComposite) -> dict[str, Any]:
    located = shared.bags[planned.bag_id]
    loaded = shared.sources.read(located, shared.quantity)
    bag = loaded.sample
    view = TransmissionView.of(replace(bag, group=f"{located.role.value}:{bag.group}"))  # so that no split can hide it
    drawn = draw_composite(
        view.sample.image,
        planned.bag_id,
        [shared.library.load(threat.signature_id) for threat in planned.threats],
        stream(shared.seed, "compose", planned.id),
        shared.config,
        relative_lengths=[threat.relative_length for threat in planned.threats],
        positions=shared.positions,
    )
    if isinstance(drawn, Refused):
        return {"item": planned.id, "reason": str(drawn)}
    sample, colour = replay(view, planned.id, drawn, shared.library)
    record = _written(shared.folder, planned.id, sample, colour, loaded)
    return {
        "id": planned.id,
        "params": drawn.as_json(),
        "record": record,
        "labels": list(sample.annotations.labels),
        "clipped": loaded.clipped,
    }


def _written(folder: Path, item: str, sample: Sample, colour: XrayImage, loaded: Loaded) -> ImageRecord:
    """Write a composite as its bag was stored: the same depth and white level, untouched counts bit for bit."""
    reading = loaded.reading
    if reading is None:
        return image_record(sample, write_images(folder, item, colour=colour, dual=None))
    if len(set(reading.white_levels)) > 1:  # a record has room for one white level
        return image_record(sample, write_images(folder, item, colour=colour, dual=sample.image))
    changed = (sample.image.values != reading.image.values).any(axis=0)
    counts = reading.counts_of(sample.image, changed)
    files = write_images(folder, item, colour=colour if len(counts) == 2 else None, dual=None, counts=counts)
    return image_record(sample, files, white_level=reading.white_levels[0])


def replay(view: TransmissionView, composite_id: str, params: CompositeParams, library: SignatureLibrary) -> tuple[Sample, Any]:
    """Make a composite again from its recorded parameters.

    Returns:
        The sample in transmission and its pseudo-colour image.
    """
    made = apply_composite(view.sample.image, params, library.load)
    masks = made.annotations.masks
    assert masks is not None
    colour = view.colour_of(made.image, np.any(masks, axis=0))
    return replace(view.sample, id=composite_id, image=made.image, annotations=made.annotations), colour
