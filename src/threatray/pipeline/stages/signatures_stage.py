"""Isolate every threat of the training scans as a signature, and note how large and where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from threatray.core import Annotations, Quantity, SetAside, XrayImage
from threatray.core.files import read_json, write_json
from threatray.core.manifest import RunManifest
from threatray.datasets.formats.coco import image_record, write_annotations, write_images
from threatray.errors import ConfigError, DataError, ThreatrayError
from threatray.pipeline.held_back import PART, SIGNATURES
from threatray.pipeline.palettes import AUTO, CHANNELS, PALETTES_FILE, ScannerPalettes, palettes_for, read_palettes, write_palettes
from threatray.pipeline.sources import Located, PartName, Role, Sources, Taxonomy, clipping_summary, read_parts
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.pipeline.views import TransmissionView
from threatray.pipeline.workers import run_jobs
from threatray.tip.bag import bag_mask
from threatray.tip.colour import ColourTip, isolate_colour
from threatray.tip.isolate import IsolateConfig, Isolated, isolate
from threatray.tip.library import LibraryEntry, write_index, write_signature
from threatray.tip.placement import relative_length, relative_position
from threatray.tip.refusal import Refused
from threatray.tip.remove import Fill, without

REFUSED: Final = "refused.json"
PLACES: Final = "places.json"
BENIGN: Final = "benign"
REMOVED: Final = "removed.json"
DARKEST_LEVELS: Final = 4
"""A count below so many levels is noise."""
_ALONE: Final = 0.9
"""A threat as long as what it lies in was scanned alone: that says nothing of its place and size in bags."""


@dataclass(frozen=True)
class SignaturesConfig:
    """How signatures are taken out of labelled scans.

    Args:
        min_quality: Signatures below this quality are refused.
        palette: How pseudo-colour is read: ``auto`` calibrates each scanner's palette on the training scans and reads two energies
            from its colours; ``channels`` takes red, green and blue for three energies; else a file of palettes to use.
        remove: Also write every scan whose threats were all isolated without them, as a dataset of benign bags in ``benign``.
        fill: How the bag behind a removed threat is made up.
        isolate: How one is isolated.
    """

    min_quality: float = 0.3
    palette: str = AUTO
    remove: bool = False
    fill: Fill = Fill.CONTINUED
    isolate: IsolateConfig = field(default_factory=IsolateConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.min_quality <= 1:
            raise ConfigError(f"signatures: min_quality must lie in [0, 1], got {self.min_quality}.")


@dataclass(frozen=True)
class _Shared:
    config: SignaturesConfig
    sources: Sources
    quantity: Quantity
    palettes: ScannerPalettes | None
    folder: Path


def signatures(
    config: SignaturesConfig,
    taxonomy: Taxonomy,
    paths: Mapping[Role, Path],
    split: Path,
    out: Path,
    run: Run,
    *,
    part: PartName = PartName.TRAIN,
) -> RunManifest:
    """Write a signature library of the training scans' threats, ``refused.json`` and ``places.json``, and on request ``benign``.

    Args:
        config: How.
        taxonomy: Classes that count.
        paths: The datasets.
        split: Folder of ``threatray split``.
        out: Folder to make.
        run: How.
        part: Whose threats. Those of the validation or test scans are for judging alone: no stage that trains or composes takes
            their folder. Palettes are calibrated on the training scans in any case.

    Raises:
        DataError: No signature could be isolated for a class of the part.
    """

    def body(work: Path) -> Outcome:
        sources = Sources.open(paths, taxonomy, strict=run.strict)
        parts = read_parts(split, sources)
        threats = parts[part].threats
        palettes, how = _palettes(config, sources, parts[PartName.TRAIN].threats)
        if palettes is not None:
            write_palettes(work / PALETTES_FILE, palettes)
        shared = _Shared(config, sources, sources.quantity, palettes, work)
        with run.progress.task("signatures", "scan") as update:
            found = run_jobs(_isolate_all, shared, threats, workers=run.workers, update=update, ledger=work / ".scans.ledger")
        entries = [LibraryEntry.from_json(entry, "ledger") for each in found for entry in each["entries"]]
        refused = [entry for each in found for entry in each["refused"]]
        write_index(work, entries)
        write_json(work / REFUSED, refused)
        write_json(work / PLACES, [entry for each in found for entry in each["places"]])
        counts = {name: sum(entry.class_name == name for entry in entries) for name in sources.classes()}
        for name, count in counts.items():
            wanted = sum(name in sources.labels_of(located.entry) for located in threats)
            if count == 0 and wanted > 0:
                reasons = ", ".join(sorted({entry["reason"].split(":")[0] for entry in refused}))
                raise DataError(
                    f"signatures: of {wanted} scans with {name!r} none gave a signature ({reasons}). "
                    "Lower [signatures] min_quality, give masks, or leave the class out."
                )
        summary: dict[str, Any] = {"signatures": counts, "refused": len(refused), **clipping_summary(each["clipped"] for each in found)}
        if how:
            summary["colour"] = how
            run.progress.say(f"signatures: {how}")
        if config.remove:
            emptied = [each["emptied"] for each in found if each.get("emptied")]
            write_annotations(work / BENIGN, (), [each["record"] for each in emptied])
            write_json(work / BENIGN / REMOVED, [each["removed"] for each in emptied])
            summary["benign"] = len(emptied)
        return Outcome(summary, tuple(SetAside(**entry) for entry in refused))

    inputs = {"split": split, **{role.value: path for role, path in paths.items()}}
    if config.palette not in (AUTO, CHANNELS):
        inputs["palette"] = Path(config.palette)
    settings = {SIGNATURES: config, "taxonomy": taxonomy} | ({} if part is PartName.TRAIN else {PART: part})
    return run_stage(SIGNATURES, settings, inputs, out, run, body)


def _palettes(config: SignaturesConfig, sources: Sources, threats: tuple[Located, ...]) -> tuple[ScannerPalettes | None, str]:
    """The palettes to read colour with, and a sentence on it for people; nothing to say of scans that are no colour."""
    if sources.quantity is not Quantity.PSEUDO_COLOUR:
        return None, ""

    def load(located: Located) -> XrayImage:
        return sources.load(located, Quantity.PSEUDO_COLOUR).image

    try:
        palettes = palettes_for(config.palette, threats, load)
    except DataError as error:
        if config.palette != AUTO:
            raise
        return None, f"red, green and blue are taken for three energies, since no palette could be calibrated ({error})"
    if palettes is None:
        return None, "red, green and blue are taken for three energies, as asked"
    names = ", ".join(palette.name for palette in palettes.palettes)
    return palettes, f"read as two energies with {len(palettes.palettes)} palette(s): {names}"


def read_stage_palettes(folder: Path) -> ScannerPalettes | None:
    """The palettes that the stage's signatures were read with; None where they are channels or true energies."""
    return read_palettes(folder / PALETTES_FILE) if (folder / PALETTES_FILE).is_file() else None


def _isolate_all(shared: _Shared, located: Located) -> dict[str, Any]:
    """Every threat of one scan."""
    try:
        loaded = shared.sources.read(located, shared.quantity)
        view = TransmissionView.of(loaded.sample, shared.palettes)
    except ThreatrayError as error:
        return {"entries": [], "places": [], "clipped": {}, "refused": [{"item": located.key, "reason": str(error)}]}
    sample = view.sample
    channels = sample if view.palette is None or view.air is None else replace(sample, image=view.stored.as_channel_transmission(view.air))
    bag = bag_mask(channels.image)
    entries, refused, places = [], [], []
    taken: list[Isolated] = []
    limits = shared.config.isolate
    if loaded.reading is not None:
        limits = replace(limits, darkest=min(limits.darkest, DARKEST_LEVELS / max(loaded.reading.white_levels)))
    for index, label in enumerate(sample.annotations.labels):
        x0, y0, x1, y1 = (float(edge) for edge in sample.annotations.boxes[index])
        box = (x0, y0, x1, y1)
        length = relative_length(bag, box) if bag.any() else _ALONE
        if length < _ALONE:
            places.append({"class_name": label, "relative_length": length, "position": list(relative_position(bag, box))})
        if view.palette is None:
            found = isolate(sample, index, limits)
        else:
            found = isolate_colour(channels, sample.image, index, limits, tip=ColourTip(view.palette), scan=view.stored)
        if isinstance(found, Refused):
            refused.append({"item": f"{located.key}-{index} ({label})", "reason": str(found)})
        elif found.quality < shared.config.min_quality:
            reason = f"quality {found.quality:.2f}, at least {shared.config.min_quality} is wanted"
            refused.append({"item": f"{located.key}-{index} ({label})", "reason": reason})
        else:
            taken.append(found)
            entry = write_signature(shared.folder, found.signature, {"quality": found.quality, "contrast": found.contrast})
            entries.append(json.loads(json.dumps(entry.as_json())))
    made: dict[str, Any] = {"entries": entries, "refused": refused, "places": places, "clipped": loaded.clipped}
    if shared.config.remove and taken and len(taken) == len(located.entry.labels):
        # by channels, also where a palette is known: only there can colours become lighter without being made up anew
        made["emptied"] = _emptied(shared, located, TransmissionView(channels, view.stored, view.air), taken)
    return made


def _emptied(shared: _Shared, located: Located, view: TransmissionView, taken: Sequence[Isolated]) -> dict[str, Any]:
    """Write one scan without its threats; a scan with a label that does not count here keeps it, so it never comes here."""
    fill = shared.config.fill
    bag = without(view.sample.image, taken, fill)
    provenance = replace(view.sample.provenance, source=f"{view.sample.provenance.source}, threats removed ({fill.value} fill)")
    name = f"{view.sample.id}-emptied"
    sample = replace(view.sample, id=name, image=bag.image, annotations=Annotations.none(), provenance=provenance)
    dual = bag.image if shared.quantity is Quantity.TRANSMISSION else None
    files = write_images(shared.folder / BENIGN, name, colour=view.colour_of(bag.image, bag.hole), dual=dual)
    record = image_record(sample, files)
    removed = {
        "id": name,
        "scan": located.key,
        "fill": fill.value,
        "made_up_share": round(float(bag.hole.mean()), 5),
        "threats": [{"signature": each.signature.id, "class_name": each.signature.class_name, "box": list(each.box)} for each in taken],
    }
    return {"record": record, "removed": removed}


def read_places(folder: Path) -> tuple[dict[str, list[float]], dict[str, list[tuple[float, float]]]]:
    """Relative lengths and positions of the real threats, by class."""
    lengths: dict[str, list[float]] = {}
    positions: dict[str, list[tuple[float, float]]] = {}
    for entry in read_json(folder / PLACES):
        lengths.setdefault(entry["class_name"], []).append(float(entry["relative_length"]))
        positions.setdefault(entry["class_name"], []).append((float(entry["position"][0]), float(entry["position"][1])))
    return lengths, positions
