"""Make every input with the embedded scanner and camera."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

from threatray.core.files import write_text
from threatray.core.image_file import write_jpeg
from threatray.core.manifest import RunManifest
from threatray.datasets.formats.coco import image_record, write_annotations, write_images
from threatray.phantom.dataset import PROVENANCE, Job, JobKind, PhantomConfig, render_photo, render_scan
from threatray.phantom.dataset import plan as plan_jobs
from threatray.photos.photo_file import SOURCES_NAME
from threatray.pipeline.stage import Outcome, Run, plain, run_stage
from threatray.pipeline.workers import run_jobs
from threatray.tip.library import LibraryEntry, write_index, write_signature

FOLDERS: Final = {JobKind.LABELLED: "scans", JobKind.BENIGN: "benign", JobKind.VALIDATION: "validation", JobKind.TEST: "test"}
PHOTOS: Final = "photos"
TRUTH: Final = "truth"
_PHOTO_QUALITY: Final = 92


def phantom(config: PhantomConfig, out: Path, run: Run) -> RunManifest:
    """Write ``scans/``, ``benign/``, ``validation/`` and ``test/`` (COCO), ``photos/<class>/*.jpg`` and ``truth/``.

    ``truth/`` is the signature library of the photos' true X-rays; nothing but ``score`` and ``report`` may read it.
    """

    def body(work: Path) -> Outcome:
        jobs = plan_jobs(config, run.seed)
        with run.progress.task("phantom", "picture") as update:
            done = run_jobs(_render, (config, work), jobs, workers=run.workers, update=update, ledger=work / ".pictures.ledger")
        classes = sorted({job.class_name for job in jobs if job.class_name is not None})
        for kind, folder in FOLDERS.items():
            write_annotations(work / folder, classes, [entry["record"] for entry in done if entry["kind"] == kind.value])
        write_index(work / TRUTH, [LibraryEntry.from_json(entry["truth"], "ledger") for entry in done if "truth" in entry])
        rows = [(entry["class_name"], f"{entry['id']}.jpg", PROVENANCE.source, PROVENANCE.licence) for entry in done if "truth" in entry]
        write_text(work / PHOTOS / SOURCES_NAME, "".join(",".join(row) + "\n" for row in [("class", "file", "source", "licence"), *rows]))
        counts = Counter(f"{job.kind.value}{f' {job.class_name}' if job.class_name else ''}" for job in jobs)
        return Outcome({"pictures": dict(sorted(counts.items()))})

    return run_stage("phantom", config, {}, out, run, body)


def _render(shared: tuple[PhantomConfig, Path], job: Job) -> dict[str, Any]:
    config, folder = shared
    if job.kind is JobKind.PHOTO:
        photo = render_photo(job, config)
        write_jpeg(folder / PHOTOS / photo.class_name / f"{photo.id}.jpg", photo.pixels, quality=_PHOTO_QUALITY)
        truth = write_signature(folder / TRUTH, photo.truth, {"individual": photo.individual})
        return {"kind": job.kind.value, "id": photo.id, "class_name": photo.class_name, "truth": plain(truth.as_json())}
    scan = render_scan(job, config)
    files = write_images(folder / FOLDERS[job.kind], scan.sample.id, colour=scan.colour, dual=scan.sample.image)
    return {"kind": job.kind.value, "record": image_record(scan.sample, files)}
