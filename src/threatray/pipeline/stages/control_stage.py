"""The control arms as datasets: the same photos at the same places with the same labels, pasted instead of projected."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from threatray.core import COLOUR, TRANSMISSION_FLOOR, Quantity, Sample, Signature, XrayImage
from threatray.core.manifest import RunManifest, SetAside
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.coco import image_record, write_annotations, write_images
from threatray.datasets.formats.registry import read_dataset
from threatray.errors import ConfigError, DataError
from threatray.photos.crop import ObjectCrop
from threatray.photos.library import read_crop, read_index
from threatray.pipeline.sources import Located, Role, Sources, Taxonomy
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.pipeline.stages.compose_stage import COMPOSITES
from threatray.pipeline.workers import run_jobs
from threatray.tip.compose import CompositeParams
from threatray.tip.controls import ControlArm, alpha_blend
from threatray.tip.library import SignatureLibrary
from threatray.tip.vary import vary


@dataclass(frozen=True)
class ControlConfig:
    """How photos are pasted.

    Args:
        arm: Opaque paste, or a fixed mixture.
        alpha: Weight of the photo in the mixture.
    """

    arm: ControlArm = ControlArm.OPAQUE_PASTE
    alpha: float = 0.6

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 1:
            raise ConfigError(f"control: alpha must lie in (0, 1], got {self.alpha}.")


@dataclass(frozen=True)
class _Shared:
    config: ControlConfig
    sources: Sources
    bags: Mapping[str, Located]
    composed: Mapping[str, Entry]
    library: SignatureLibrary
    crops: Path
    entries: Mapping[str, Mapping[str, Any]]
    folder: Path


def control(
    config: ControlConfig,
    taxonomy: Taxonomy,
    paths: Mapping[Role, Path],
    composites: Path,
    photos: Path,
    library: Path,
    out: Path,
    run: Run,
) -> RunManifest:
    """Write the COCO dataset that a control arm makes of the same composites: equal bags, places, sizes, boxes and masks.

    Args:
        config: Which way of pasting.
        taxonomy: Classes that count.
        paths: The datasets; the composites' bags are found in them.
        composites: Folder of ``threatray compose``, made of translated signatures.
        photos: Folder of ``threatray photos``: the crops that were translated.
        library: The signature library that the composites were made from; its ids are crop ids.
        out: Folder to make.
        run: How.

    Raises:
        DataError: The composites name bags, signatures or photos that are not there.
    """

    def body(work: Path) -> Outcome:
        sources = Sources.open(paths, taxonomy, strict=run.strict)
        bags = {located.key: located for role in sources.datasets for located in sources.located(role)}
        lines = [json.loads(line) for line in (composites / COMPOSITES).read_text(encoding="utf-8").splitlines()]
        entries = {str(entry["id"]): entry for entry in read_index(photos)}
        for line in lines:
            if line["bag_id"] not in bags:
                raise DataError(
                    f"{composites / COMPOSITES}: the bag {line['bag_id']!r} is not in the datasets. Give those it was made from."
                )
            for insertion in line["insertions"]:
                if insertion["signature_id"] not in entries:
                    raise DataError(
                        f"{composites / COMPOSITES}: the signature {insertion['signature_id']!r} is no photo of {photos}. "
                        "Control arms paste the photos of translated signatures."
                    )
        used = {line["bag_id"]: bags[line["bag_id"]] for line in lines}
        composed = {entry.id: entry for entry in read_dataset(composites).entries}
        shared = _Shared(config, sources, used, composed, SignatureLibrary.open(library), photos, entries, work)
        with run.progress.task(config.arm.value, "picture") as update:
            done = run_jobs(_paste_one, shared, lines, workers=run.workers, update=update, ledger=work / ".pictures.ledger")
        made = [entry["record"] for entry in done if "record" in entry]
        left = tuple(SetAside(entry["item"], entry["reason"]) for entry in done if "reason" in entry)
        if lines and not made:
            raise DataError(f"control: none of {len(lines)} pictures could be made, e.g. {left[0].item}: {left[0].reason}")
        write_annotations(work, sources.classes(), made)
        counts = Counter(thing["label"] for record in made for thing in record["things"])
        return Outcome({"arm": config.arm.value, "pictures": len(made), "threats": dict(sorted(counts.items()))}, left)

    inputs = {"composites": composites, "photos": photos, "library": library, **{role.value: path for role, path in paths.items()}}
    return run_stage(f"control_{config.arm.value}", {"control": config, "taxonomy": taxonomy}, inputs, out, run, body)


def _paste_one(shared: _Shared, line: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {"record": _pasted(shared, line)}
    except DataError as error:  # a bag or photo that cannot be read
        return {"item": str(line["id"]), "reason": str(error)}


def _pasted(shared: _Shared, line: Mapping[str, Any]) -> dict[str, Any]:
    params = CompositeParams.from_json(line)
    entry = shared.composed.get(str(line["id"]))
    if entry is None:
        raise DataError(f"the composite {line['id']!r} has no picture in its dataset; compose again")
    bag = shared.sources.load(shared.bags[params.bag_id], Quantity.PSEUDO_COLOUR)
    image = _three_channels(bag.image)
    for insertion in params.insertions:
        crop = read_crop(shared.crops, shared.entries[insertion.signature_id])
        seen = vary(photo_signature(crop, shared.library.load(insertion.signature_id)), replace(insertion.variation, density_power=1.0))
        weight = 1.0 if shared.config.arm is ControlArm.OPAQUE_PASTE else shared.config.alpha
        image = alpha_blend(image, seen.image.values, seen.mask, insertion.x, insertion.y, alpha=weight)
    files = write_images(shared.folder, entry.id, colour=image, dual=None)
    pasted = Sample(entry.id, image, entry.annotations(), entry.group, entry.provenance)
    return json.loads(json.dumps(image_record(pasted, files)))  # type: ignore[no-any-return]


def photo_signature(crop: ObjectCrop, signature: Signature) -> Signature:
    """The photo itself in its signature's frame, its colours in the place of transmissions, so that it is varied alike.

    Raises:
        DataError: The signature's frame is not the crop's.
    """
    if signature.mask.shape != crop.size:
        raise DataError(f"control: the signature {signature.id!r} has {signature.mask.shape} pixels, its photo {crop.size}.")
    colours = np.clip(crop.pixels.transpose(2, 0, 1).astype(np.float32) / 255, TRANSMISSION_FLOOR, 1.0)
    values = np.where(signature.mask, colours, np.float32(1.0)).astype(np.float32)
    return Signature(signature.id, XrayImage(values, Quantity.TRANSMISSION, COLOUR), signature.mask, signature.class_name, signature.origin)


def _three_channels(image: XrayImage) -> XrayImage:
    if len(image.channels) == 3:
        return image
    return XrayImage(np.repeat(image.values[:1], 3, axis=0), Quantity.PSEUDO_COLOUR, COLOUR)
