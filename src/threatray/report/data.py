"""What a report shows, read from the files of a run; no drawing here, and nothing from the clock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from threatray.report.composites import Composites, build_composites
from threatray.report.fidelity import Fidelity, build_fidelity
from threatray.report.folder import RunFolder
from threatray.report.gallery import Gallery, build_gallery
from threatray.report.gate import Gate, build_gate
from threatray.report.headline import Headline, build_headline
from threatray.report.hero import Hero, build_hero
from threatray.report.inputs import Balance, Inputs, build_balance, build_inputs
from threatray.report.limits import state_limits
from threatray.report.repeat import Repeat, build_repeat
from threatray.report.strips import Strips, build_strips
from threatray.report.sweep import Sweep, build_sweep
from threatray.report.training import Training, build_training
from threatray.report.uplift import Uplift, build_uplift


@dataclass(frozen=True)
class ReportData:
    """Everything on the page; a section is None where its stage has not run."""

    headline: Headline
    hero: Hero | None
    inputs: Inputs | None
    balance: Balance | None
    strips: Strips | None
    gate: Gate | None
    composites: Composites | None
    gallery: Gallery | None
    fidelity: Fidelity | None
    uplift: Uplift | None
    sweep: Sweep | None
    training: Training | None
    repeat: Repeat
    limits: tuple[str, ...]


def build(run_folder: Path) -> ReportData:
    """Read a run folder.

    Args:
        run_folder: Holds one folder a stage (``photos``, ``signatures``, ``train``, ...); any may be absent.

    Returns:
        What the page shows. The same files give the same value.

    Raises:
        DataError: Not a run folder, or a stage's file is broken.
    """
    folder = RunFolder(run_folder)
    uplift = build_uplift(folder)
    fidelity = build_fidelity(folder)
    return ReportData(
        headline=build_headline(folder),
        hero=build_hero(folder),
        inputs=build_inputs(folder),
        balance=build_balance(folder),
        strips=build_strips(folder),
        gate=build_gate(folder),
        composites=build_composites(folder),
        gallery=build_gallery(folder),
        fidelity=fidelity,
        uplift=uplift,
        sweep=build_sweep(folder),
        training=build_training(folder),
        repeat=build_repeat(folder),
        limits=state_limits(folder, uplift=uplift, fidelity=fidelity),
    )
