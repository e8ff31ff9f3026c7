"""Decide how many composites of which class, from which signature, into which bag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from threatray.balance.plan import AvailableSignature, PlanConfig, count_weights
from threatray.balance.plan import plan as make_plan
from threatray.core.files import write_json, write_text
from threatray.core.manifest import RunManifest, SetAside
from threatray.pipeline.held_back import refuse_held_back
from threatray.pipeline.sources import PartName, Role, Sources, Taxonomy, read_parts
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.pipeline.stages.signatures_stage import read_places
from threatray.tip.library import SignatureLibrary

PLAN_FILE: Final = "plan.json"


def plan(
    config: PlanConfig, taxonomy: Taxonomy, paths: Mapping[Role, Path], split: Path, signatures: Path, library: Path, out: Path, run: Run
) -> RunManifest:
    """Write ``plan.json`` and the same as text.

    Args:
        config: What to reach.
        taxonomy: Classes that count.
        paths: The datasets.
        split: Folder of ``threatray split``.
        signatures: Folder of ``threatray signatures``, for the sizes of real threats.
        library: The signature library to project from.
        out: Folder to make.
        run: How.
    """
    refuse_held_back("plan", signatures, library)

    def body(work: Path) -> Outcome:
        sources = Sources.open(paths, taxonomy, strict=run.strict)
        train = read_parts(split, sources)[PartName.TRAIN]
        counted = Counter(label for located in train.threats for label in sources.labels_of(located.entry))
        before = {name: counted[name] for name in sources.classes()}
        available = SignatureLibrary.open(library)
        choices = {
            name: [AvailableSignature(item, available.entry(item).origin.kind) for item in ids]
            for name, ids in available.by_class().items()
        }
        lengths, _ = read_places(signatures)
        chosen = config
        if config.match_counts:
            weights = count_weights(len(sources.labels_of(located.entry)) for located in train.threats)
            chosen = replace(config, threats_per_bag_weights=weights)
        made = make_plan(before, choices, [located.key for located in train.benign], chosen, run.seed, relative_lengths=lengths)
        write_json(work / PLAN_FILE, made.as_json())
        write_text(work / "plan.txt", made.summary() + "\n")
        run.progress.say(made.summary())
        short = tuple(
            SetAside(each.class_name, f"asked for {each.asked}, planned {each.planned}: {each.reason}") for each in made.shortfalls
        )
        summary = {"before": dict(made.before), "after": made.after, "composites": len(made.composites), "divergence_bits": made.divergence}
        return Outcome(summary, short)

    inputs = {"split": split, "signatures": signatures, "library": library, **{role.value: path for role, path in paths.items()}}
    return run_stage("plan", {"plan": config, "taxonomy": taxonomy}, inputs, out, run, body)
