"""Figures of an examination: the same kind of picture is at no distance, whatever the mix of classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from toy_libraries import write_toys

from threatray.core import derive
from threatray.photos.library import read_crops
from threatray.pipeline import examination
from threatray.pipeline.examination import Examination, Shares, divided
from threatray.synthesis.config import TrainConfig
from threatray.synthesis.domain import PHOTO_CHANNELS, DomainSet
from threatray.synthesis.validation import ValidationConfig
from threatray.tip.library import SignatureLibrary

CONFIG = TrainConfig(size=16, validation=ValidationConfig(every=1, share=0.5))


@pytest.fixture(autouse=True)
def quick_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "_ENCODER_STEPS", 30)


def shares(folder: Path) -> Shares:
    photos, signatures = write_toys(folder, {"hammer": 24, "bar": 8}, {"hammer": 10, "bar": 30})
    crops, library = read_crops(photos), SignatureLibrary.open(signatures)
    real = [library.load(name) for name in library.ids()]
    classes = ("bar", "hammer")
    domain_a = DomainSet.of_photos([(one.id, one.pixels, one.mask, one.class_name) for one in crops], classes, 16, pose=CONFIG.pose)
    domain_b = DomainSet.of_signatures(real, classes, 16, encoding=CONFIG.encoding, pose=CONFIG.pose)
    found = divided(domain_a, domain_b, crops, real, CONFIG, seed=4)
    again = divided(domain_a, domain_b, crops, real, CONFIG, seed=4)
    assert found.held_photos is not None
    assert again.held_photos is not None
    assert found.held_photos.ids == again.held_photos.ids
    return found


def test_shares_are_apart_and_nothing_is_lost(tmp_path: Path) -> None:
    found = shares(tmp_path)
    for kept, held, count in ((found.photos, found.held_photos, 32), (found.signatures, found.held_signatures, 40)):
        assert held is not None
        assert not set(kept.ids) & set(held.ids)
        assert len(kept) + len(held) == count
        assert [int(part.of_class(0).size) for part in (kept, held)] == ([4, 4] if count == 32 else [15, 15])


def test_real_signatures_are_at_no_distance_from_real_ones_and_grey_slabs_are_far(tmp_path: Path) -> None:
    found = shares(tmp_path)
    assert found.held_signatures is not None
    # "photos" that a perfect translator turns into real signatures that were neither held back nor, here, learned from
    real = found.signatures
    canvas = torch.cat([real.tensors[:, :1].repeat(1, 3, 1, 1), real.tensors[:, -1:]], 1)
    stand_ins = DomainSet(canvas, real.class_index, real.ids, real.class_names, PHOTO_CHANNELS)
    measured = Examination(replace(found, held_photos=stand_ins), CONFIG, derive(1, "x"))
    perfect = SimpleNamespace(translate=lambda photos, classes: real.tensors[:, :-1])
    slab = SimpleNamespace(translate=lambda photos, classes: 1 + photos[:, -1:] * (torch.zeros(len(photos), 2, 16, 16) - 1))
    blank = SimpleNamespace(translate=lambda photos, classes: torch.ones(len(photos), 2, 16, 16))
    figures = [measured(model) for model in (perfect, slab, blank)]
    assert abs(figures[0]["kid"]) < 0.2 * figures[1]["kid"]
    assert figures[0]["fid"] < figures[1]["fid"]
    assert [round(each["silhouette_iou"], 3) for each in figures] == [1.0, 1.0, 0.0]
    assert set(figures[0]) == {"kid", "fid", "silhouette_iou"}
