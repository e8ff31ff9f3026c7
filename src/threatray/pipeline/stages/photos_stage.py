"""Cut the objects out of photos, in parallel; copies and unusable photos are listed with their reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from threatray.core.manifest import RunManifest, SetAside
from threatray.errors import DataError
from threatray.photos.crop import ObjectCrop
from threatray.photos.intake import drop_near_duplicates, take_in_photo
from threatray.photos.library import write_crop, write_index
from threatray.photos.photo_file import PhotoFile, find_photos
from threatray.photos.rules import IntakeRules
from threatray.pipeline.sources import Taxonomy
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.pipeline.workers import run_jobs


def photos(rules: IntakeRules, taxonomy: Taxonomy, folder: Path, out: Path, run: Run, *, masks: Path | None = None) -> RunManifest:
    """Write a library of object crops.

    Args:
        rules: Limits; classes and aliases are the taxonomy's, where that names any.
        taxonomy: Classes that count.
        folder: Photos, one folder a class.
        out: Folder to make.
        run: How.
        masks: Masks of the photos in the same layout.

    Raises:
        DataError: No photo could be used.
    """
    classes = rules.classes or taxonomy.classes
    named = (
        {one.name: taxonomy.name_of(one.name) for one in sorted(folder.iterdir()) if one.is_dir()} if classes and folder.is_dir() else {}
    )
    meant = {other: name for other, name in named.items() if name is not None}
    chosen = replace(rules.settled(), classes=classes, aliases={**meant, **taxonomy.aliases, **rules.aliases})

    def body(work: Path) -> Outcome:
        found, rejected = find_photos(folder, masks, chosen)
        with run.progress.task("photos", "photo") as update:
            taken = run_jobs(_take_in, chosen, found, workers=run.workers, update=update)
        crops = [crop for one in taken if not isinstance(one, SetAside) for crop in one]
        refused = [one for one in taken if isinstance(one, SetAside)]
        kept, copies = drop_near_duplicates(crops, chosen.duplicate_difference)
        left_out = (*rejected, *refused, *copies)
        if not kept:
            raise DataError(f"{folder}: none of {len(found)} photos could be used, e.g. {left_out[0].item}: {left_out[0].reason}.")
        if run.strict and (rejected or refused):
            first = (*rejected, *refused)[0]
            raise DataError(f"{folder}: {first.item}: {first.reason}. Leave out --strict to set such photos aside.")
        for crop in kept:
            write_crop(work, crop)
        write_index(work, kept, left_out)
        counts = Counter(crop.class_name for crop in kept)
        by = {"outlines": chosen.outlines.value}
        return Outcome({**by, "crops": dict(sorted(counts.items())), "rejected": len(left_out), "copies": len(copies)}, left_out)

    inputs = {"photos": folder, "masks": masks, "salient_model": chosen.salient_model}
    given = {name: path for name, path in inputs.items() if path is not None}
    # the network is known by its content among the inputs: where it lies differs between machines
    return run_stage("photos", replace(chosen, salient_model=None), given, out, run, body)


def _take_in(rules: IntakeRules, photo: PhotoFile) -> tuple[ObjectCrop, ...] | SetAside:
    return take_in_photo(photo, rules)
