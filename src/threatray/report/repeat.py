"""How to repeat a run, and what it cannot show."""

from __future__ import annotations

import json
from dataclasses import dataclass

from threatray.report.folder import STAGES, RunFolder
from threatray.report.tables import Column, Table, label, plural


@dataclass(frozen=True)
class StageRecord:
    """A stage's settings as JSON text, its summary, and its inputs."""

    name: str
    seed: int
    settings: str
    summary: str


@dataclass(frozen=True)
class Repeat:
    """The section on how to repeat the run."""

    lead: str
    commands: str
    project: str
    stages: tuple[StageRecord, ...]
    versions: Table
    inputs: Table
    missing: tuple[str, ...]


def build_repeat(folder: RunFolder) -> Repeat:
    """The section; stages without a manifest are named as missing."""
    manifests = {stage: manifest for stage in folder.stages if (manifest := folder.manifest(stage))}
    seeds = sorted({manifest.seed for manifest in manifests.values()})
    demo = folder.has("phantom")
    project = folder.path / "project.toml"
    seed = f" --seed {seeds[0]}" if len(seeds) == 1 else ""
    command = f"threatray demo{seed} --out demo" if demo else f"threatray run project.toml{seed} --out run"
    out = "demo" if demo else "run"
    versions = sorted({(name, version) for manifest in manifests.values() for name, version in manifest.versions.items()})
    lead = f"One command repeats the run; equal settings, seed and inputs give equal files. It was made with {plural(len(seeds), 'seed')}"
    lead += f" ({', '.join(map(str, seeds))})." if seeds else "."
    return Repeat(
        lead=lead if seeds else "No stage has left a manifest, so this page cannot say how to repeat the run.",
        commands=f"{command}\nthreatray report {out}",
        project=project.read_text(encoding="utf-8", errors="replace") if project.is_file() else "",
        stages=tuple(
            StageRecord(
                name,
                manifest.seed,
                json.dumps(manifest.config, indent=2, sort_keys=True, ensure_ascii=False),
                json.dumps(manifest.summary, indent=2, sort_keys=True, ensure_ascii=False),
            )
            for name, manifest in manifests.items()
        ),
        versions=Table(
            "Versions",
            (Column("Package", numeric=False), Column("Version", numeric=False)),
            tuple((label(name), label(version)) for name, version in versions),
        ),
        inputs=Table(
            "What each stage read",
            (Column("Stage", numeric=False), Column("Input", numeric=False), Column("sha256", numeric=False)),
            tuple(
                (label(stage), label(name), label(digest))
                for stage, manifest in manifests.items()
                for name, digest in sorted(manifest.inputs.items())
            ),
        ),
        missing=tuple(stage for stage in STAGES if stage not in manifests and (demo or stage != "phantom")),
    )
