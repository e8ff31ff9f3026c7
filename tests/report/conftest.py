"""A run folder as the stages leave it, small, made by the library's own writers where there are any."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from threatray.core import DUAL_ENERGY, Origin, OriginKind, Quantity, RunManifest, SetAside, Signature, XrayImage
from threatray.core.files import write_json
from threatray.core.image_file import write_jpeg, write_png
from threatray.report.data import build
from threatray.report.html import render
from threatray.tip.library import write_index, write_signature

CLASSES = ("gun", "knife", "wrench")
PER_CLASS = 3


def make_run(folder: Path, *, side: int = 24, classes: tuple[str, ...] = CLASSES, per_class: int = PER_CLASS) -> Path:
    rng = np.random.default_rng(5)
    ids = {name: [f"{name}_{number:03d}" for number in range(per_class)] for name in classes}
    _photos(folder, ids, rng, side)
    _library(folder / "signatures", ids, rng, side, OriginKind.REAL)
    write_json(folder / "signatures" / "refused.json", [{"item": "scan_9", "reason": "too small: 12 pixels, at least 64 are needed"}])
    _library(folder / "phantom" / "truth", ids, rng, side, OriginKind.RENDERED)
    kept = {name: members[:-1] for name, members in ids.items()}
    away = {name: members[-1:] for name, members in ids.items()}
    _library(folder / "translate" / "accepted", kept, rng, side, OriginKind.TRANSLATED)
    _library(folder / "translate" / "rejected", away, rng, side, OriginKind.TRANSLATED)
    write_json(
        folder / "translate" / "verdicts.json",
        [
            {
                "id": one,
                "class_name": name,
                "accepted": one in kept[name],
                "reason": "accepted" if one in kept[name] else "silhouette_moved",
                "silhouette_iou": 0.91 if one in kept[name] else 0.42,
                "class_probability": 0.83,
            }
            for name, members in ids.items()
            for one in members
        ],
    )
    _inspect(folder, classes)
    _plan_and_compose(folder, kept, rng, side)
    _train(folder, rng, side)
    _score(folder, kept, rng)
    _uplift(folder, classes, rng)
    _sweep(folder)
    for stage in ("phantom", "inspect", "split", "photos", "signatures", "train", "translate", "plan", "compose", "score", "uplift"):
        aside = (SetAside("scan_0007.png", "cannot be decoded: cut off"),) if stage == "inspect" else ()
        RunManifest(
            stage, {"steps": 600, "of": stage}, 7, {"photos": "ab" * 32}, {"threatray": "0.1.0", "numpy": "2.3.0"}, {}, {"n": 4}, aside
        ).write(folder / stage)
    return folder


def _silhouette(side: int, rng: np.random.Generator) -> np.ndarray:
    mask = np.zeros((side, side), np.uint8)
    angle = float(rng.uniform(0, 180))
    cv2.ellipse(mask, (side // 2, side // 2), (int(0.42 * side), int(0.16 * side)), angle, 0, 360, 1, -1)
    cv2.ellipse(mask, (int(0.62 * side), int(0.6 * side)), (int(0.12 * side), int(0.28 * side)), angle, 0, 360, 1, -1)
    return mask > 0


def _photos(folder: Path, ids: dict[str, list[str]], rng: np.random.Generator, side: int) -> None:
    crops = []
    for name, members in ids.items():
        for one in members:
            mask = _silhouette(side, rng)
            photo = np.full((side, side, 3), rng.integers(150, 230, 3), np.uint8)
            photo[mask] = rng.integers(20, 120, 3)
            write_png(folder / "photos" / name / f"{one}.png", cv2.GaussianBlur(photo, (3, 3), 0))
            write_png(folder / "photos" / name / f"{one}_mask.png", mask.astype(np.uint8) * 255)
            crops.append(
                {
                    "id": one,
                    "class_name": name,
                    "file": f"{name}/{one}.png",
                    "mask_file": f"{name}/{one}_mask.png",
                    "source_id": one,
                    "quality": 0.9,
                    "provenance": {"source": "phantom", "licence": "Apache-2.0"},
                }
            )
    write_json(folder / "photos" / "index.json", {"crops": crops, "rejected": [{"item": "blurred_1", "reason": "no object found"}]})


def make_signature(one: str, name: str, rng: np.random.Generator, side: int, kind: OriginKind) -> Signature:
    mask = _silhouette(side, rng)
    attenuation = rng.uniform(0.3, 2.2) * (0.6 + 0.4 * cv2.resize(rng.random((4, 4)), (side, side), interpolation=cv2.INTER_CUBIC))
    ratio = float(rng.uniform(1.15, 2.6))
    dual = np.exp(-np.clip(np.stack([attenuation * ratio, attenuation]), 0.02, 10)).astype(np.float32)
    values = np.where(mask, dual, np.float32(1)).astype(np.float32)
    return Signature(one, XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY), mask, name, Origin(kind, one, one))


def _library(folder: Path, ids: dict[str, list[str]], rng: np.random.Generator, side: int, kind: OriginKind) -> None:
    write_index(
        folder, [write_signature(folder, make_signature(one, name, rng, side, kind)) for name, members in ids.items() for one in members]
    )


def _inspect(folder: Path, classes: tuple[str, ...]) -> None:
    counts = {name: 40 // (4**place) or 1 for place, name in enumerate(classes)}
    one = {
        "images": 64,
        "images_per_class": counts,
        "instances_per_class": counts,
        "imbalance_ratio": 13.333333333333334,
        "relative_size": {name: {"q05": 0.01, "q25": 0.02, "q50": 0.035, "q75": 0.05, "q95": 0.09} for name in classes},
        "positions": [[(row * column) % 5 for column in range(8)] for row in range(8)],
        "exact_duplicates": [["a", "b"]],
        "near_duplicates": [],
        "unreadable": [],
    }
    benign = {
        "images": 300,
        "images_per_class": {},
        "instances_per_class": {},
        "imbalance_ratio": None,
        "relative_size": {},
        "positions": {},
    }
    write_json(folder / "inspect" / "inspect.json", {"datasets": {"labelled": one, "benign": benign, "test": one}})


def _plan_and_compose(folder: Path, kept: dict[str, list[str]], rng: np.random.Generator, side: int) -> None:
    before = {name: 40 // (4**place) or 1 for place, name in enumerate(kept)}
    write_json(
        folder / "plan" / "plan.json",
        {
            "strategy": "equalise",
            "seed": 7,
            "before": before,
            "after": dict.fromkeys(kept, 45),
            "divergence_bits": 0.2113571,
            "added": {name: 45 - number for name, number in before.items()},
            "shortfalls": [{"class_name": "wrench", "asked": 60, "planned": 43, "reason": "signatures reused too often"}],
            "composites": [],
        },
    )
    high, wide = 5 * side, 7 * side
    images, annotations, lines = [], [], []
    for number, (name, one) in enumerate((name, one) for name, members in kept.items() for one in members):
        bag = np.full((high, wide, 3), 248, np.uint8)
        for _ in range(14):
            corner = rng.integers(0, [wide, high])
            cv2.rectangle(
                bag,
                tuple(map(int, corner)),
                tuple(map(int, corner + rng.integers(8, 3 * side, 2))),
                tuple(map(int, rng.integers(90, 235, 3))),
                -1,
            )
        write_png(folder / "compose" / "images" / f"composite_{number:04d}.png", bag)
        images.append({"id": number + 1, "file_name": f"composite_{number:04d}.png", "width": wide, "height": high})
        annotations.append(
            {
                "id": number + 1,
                "image_id": number + 1,
                "category_id": list(kept).index(name) + 1,
                "bbox": [side, side // 2, 2 * side, side],
                "area": 2 * side * side,
                "iscrowd": 0,
            }
        )
        lines.append(
            {
                "id": f"composite_{number:04d}",
                "bag_id": f"bag_{number}",
                "insertions": [{"signature_id": one, "variation": {}, "x": 3, "y": 4}],
            }
        )
    categories = [{"id": place + 1, "name": name} for place, name in enumerate(kept)]
    write_json(folder / "compose" / "annotations.json", {"images": images, "annotations": annotations, "categories": categories})
    (folder / "compose" / "composites.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_json(folder / "compose" / "refused.json", [{"item": "bag_77", "reason": "larger than the bag"}])
    write_json(folder / "compose" / "gallery" / "gallery.json", [_exhibit(folder / "compose" / "gallery", next(iter(kept)), rng, side)])


def _exhibit(folder: Path, class_name: str, rng: np.random.Generator, side: int) -> dict[str, Any]:
    panels: list[dict[str, Any]] = []
    for name in ("bag", "energy_space", "channel_wise", "alpha_blend", "opaque_paste", "real"):
        files = {"screen": f"c_{name}.png", "low": f"c_{name}_low.png", "high": f"c_{name}_high.png"}
        write_png(folder / files["screen"], rng.integers(90, 255, (2 * side, 2 * side, 3), dtype=np.uint8))
        high = rng.uniform(0.2, 1.0, (2 * side, 2 * side))
        write_png(folder / files["high"], np.rint(65535 * high).astype(np.uint16))
        write_png(folder / files["low"], np.rint(65535 * high**1.3).astype(np.uint16))
        panels.append({"name": name, "proxy": name == "channel_wise", "window": [0, 0, 2 * side, 2 * side], **files})
    return {"id": "composite_0000", "class_name": class_name, "bag_id": "bag_0", "signatures": [f"{class_name}_000"], "panels": panels}


def _train(folder: Path, rng: np.random.Generator, side: int) -> None:
    write_json(
        folder / "train" / "train.json",
        {"preset": "small", "steps": 600, "batch_size": 4, "image_size": 64, "parameters": {"gen_ab": 123456}},
    )
    names = ("adversarial_a", "adversarial_b", "cycle_a", "cycle_b", "identity_a", "identity_b", "disc_a", "disc_b")
    lines = [
        {"step": step, **{name: 0.2 + np.exp(-step / 150) + 0.05 * float(rng.random()) for name in names}} for step in range(5, 605, 5)
    ]
    (folder / "train" / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    _examined(folder / "train")
    for step in (100, 300, 600):
        write_jpeg(folder / "train" / "samples" / "x.jpg", rng.integers(0, 255, (2, 2, 3), dtype=np.uint8))
        write_png(folder / "train" / "samples" / f"step_{step:06d}.png", rng.integers(0, 255, (2 * side, 4 * side, 3), dtype=np.uint8))


def _examined(folder: Path) -> None:
    rows = [{"step": step, "kid": 100 / step, "fid": 900 / step, "silhouette_iou": 0.9, "ssim": 0.6} for step in (200, 400, 600)]
    (folder / "validation.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    finding = {"figure": 0.8, "limit": 0.3, "higher_is_worse": False, "verdict": "healthy", "what": "how <they> differ", "advice": "None."}
    write_json(folder / "health.json", {"findings": [{**finding, "disease": "mode_collapse"}, {**finding, "disease": "memorised"}]})


def _sweep(folder: Path) -> None:
    """Helps where there are few real threats, shows nothing where there are many, and harms AP50 at the last number."""
    changes = {"fpr_at_tpr_0.94": {10: -0.2, 30: -0.02, 0: 0.01}, "ap50": {10: 0.12, 30: 0.03, 0: -0.09}, "ap50/gun": {10: 0.5}}
    rows = [
        {
            "real_count": count,
            "training_scans": 6 * count or 178,
            "arm": f"synthesis_transformation_x{multiple}",
            "against": "transformation",
            "measure": measure,
            "there": 0.4,
            "value": change,
            "low": change - 0.05,
            "high": change + 0.05,
            "p": 0.0625,
            "seeds": 5,
            "verdict": "no effect shown" if abs(change) < 0.05 else "better" if (change > 0) == (measure == "ap50") else "worse",
        }
        for measure, by_count in changes.items()
        for count, change in by_count.items()
        for multiple in (1, 4)
    ]
    write_json(folder / "sweep" / "sweep.json", {"rows": rows})


def _score(folder: Path, kept: dict[str, list[str]], rng: np.random.Generator) -> None:
    def score(name: str, value: float, better: bool = False) -> dict[str, Any]:
        return {
            "name": name,
            "value": value,
            "low": value * 0.8,
            "high": value * 1.3,
            "n": 96,
            "extractor": "domain_encoder(seed 7)",
            "higher_is_better": better,
        }

    write_json(
        folder / "score" / "score.json",
        {
            "scores": [
                score("kid(translated, truth)", 0.0213456),
                score("fid(translated, truth)", 41.23),
                score("precision(translated, truth)", 0.7312, True),
                score("KID(translated, after the gate, true X-rays)", 0.0191),
                score("recall(translated, after the gate, true X-rays)", 0.5512, True),
                score("KID(photo as it is, true X-rays)", 0.2934),
                score("GAN-test: translations named rightly", 0.8123, True),
            ],
            "memorisation": [{"id": kept[name][0], "nearest": kept[name][1], "distance": 0.0123} for name in kept if len(kept[name]) > 1]
            + [{"id": "gone", "nearest": "gone too", "distance": 0.5}],
            "paired": [
                {
                    "id": one,
                    "class_name": name,
                    "ssim: translated": 0.5 + 0.4 * float(rng.random()),
                    "psnr: translated": 18.5,
                    "ssim: photo, grey inverted": 0.2 + 0.5 * float(rng.random()),
                    "psnr: photo, grey inverted": 12.5,
                    "ssim: photo as it is": 0.11,
                    "psnr: photo as it is": 9.0,
                }
                for name, members in kept.items()
                for one in members
            ],
            "kid_by_arm": {
                arm: score(f"KID({arm}, truth)", value)
                for arm, value in {
                    "translated": 0.0213456,
                    "translated, after the gate": 0.0191,
                    "photo, grey inverted": 0.1812,
                    "photo as it is": 0.2934,
                    "mean fill of the silhouette": 0.0571,
                }.items()
            },
            "notes": ["KID subset size 48."],
        },
    )


def _uplift(folder: Path, classes: tuple[str, ...], rng: np.random.Generator) -> None:
    """The keys of ``UpliftSummary.as_json``."""
    fpr = {
        "real_only": 0.41,
        "transformation": 0.37,
        "synthesis": 0.291234,
        "synthesis_transformation": 0.25,
        "opaque_paste": 0.44,
        "alpha_blend": 0.40,
    }
    measures = [
        {"name": "fpr_at_tpr_0.94", "title": "FPR at TPR 0.94", "higher_is_better": False},
        {"name": "tpr", "title": "TPR at the operating point of TPR 0.94", "higher_is_better": True},
        {"name": "ap50", "title": "AP50", "higher_is_better": True},
        *({"name": f"ap50/{name}", "title": f"AP50 of {name}", "higher_is_better": True} for name in classes),
    ]

    def value(arm: str, measure: str) -> float:
        return fpr[arm] if measure == "fpr_at_tpr_0.94" else 0.931 if measure == "tpr" else 0.97 - fpr[arm]

    figures, differences = [], []
    for arm in fpr:
        for measure in (one["name"] for one in measures):
            mean = value(arm, measure)
            figures.append(
                {
                    "arm": arm,
                    "measure": measure,
                    "mean": mean,
                    "low": mean - 0.04,
                    "high": mean + 0.05,
                    "per_seed": {"0": mean - 0.02, "1": mean + 0.02},
                }
            )
            if arm != "real_only":
                by = mean - value("real_only", measure)
                differences.append(
                    {
                        "arm": arm,
                        "baseline": "real_only",
                        "measure": measure,
                        "value": by,
                        "low": by - 0.06,
                        "high": by + 0.055,
                        "p": 0.5,
                        "per_seed": {"0": by - 0.02, "1": by + 0.02},
                        "verdict": "",
                        "sentence": "",
                    }
                )
    write_json(
        folder / "uplift" / "uplift.json",
        {
            "baseline": "real_only",
            "measures": measures,
            "figures": figures,
            "differences": differences,
            "pictures": {"validation": 80, "test": 240, "test_with_threat": 120, "test_groups": 200},
            "budget": {"steps": 300, "batch_size": 4, "pictures_shown": 1200},
            "settings": {"target_tpr": 0.94},
            "missing": [],
            "notes": ["Every arm was trained on the same budget: 300 steps of 4 pictures."],
            "suspects": [
                {
                    "id": "benign:bag <7>",
                    "part": "test",
                    "share_above": 0.83,
                    "label": classes[0],
                    "box": [1.0, 2.0, 8.0, 9.0],
                    "detectors": 12,
                }
            ],
            "curves": [
                {
                    "arm": arm,
                    "tpr": [0.5, 0.94, 1.0],
                    "fpr": [0.1, fpr[arm], 0.8],
                    "reliability": [[0.2, 0.1, 40], [0.7, 0.8, 40]],
                }
                for arm in fpr
            ],
        },
    )


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read-only; copy it to change it."""
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def page(run_folder: Path) -> str:
    """The whole run's page."""
    return render(build(run_folder))


@pytest.fixture
def own_run(run_folder: Path, tmp_path: Path) -> Path:
    """A copy of the run that a test may change."""
    return shutil.copytree(run_folder, tmp_path / "run")
