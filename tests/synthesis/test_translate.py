import numpy as np
import pytest
import torch
from toy import CLASSES, domains, photo

from threatray.core import DUAL_ENERGY, OriginKind, Provenance
from threatray.core.files import sha256_of_file
from threatray.errors import DataError
from threatray.synthesis.checkpoint import save_checkpoint
from threatray.synthesis.config import TrainConfig
from threatray.synthesis.domain import DomainSet
from threatray.synthesis.train import CycleGan
from threatray.synthesis.translate import Translator

CONFIG = TrainConfig(size=16, steps=2, batch_size=2)


def crops(count=3):
    rng = np.random.default_rng(0)
    return [photo(CLASSES[place % 2], rng) for place in range(count)]


def test_signatures_have_the_crops_size_mask_and_origin(tmp_path):
    path = tmp_path / "training.pt"
    CycleGan(CONFIG, CLASSES, DUAL_ENERGY, seed=0).fit(*domains(), checkpoint=path)
    translator = Translator.load(path)
    for name, pixels, mask, label in crops():
        made = translator.signature(pixels, mask, label, name=f"s-{name}", source_id=name, group="g", provenance=Provenance("web", "CC0"))
        assert made.image.size == mask.shape
        assert (made.mask == mask).all()
        assert (made.image.values[:, ~mask] == 1.0).all()
        assert made.origin.kind is OriginKind.TRANSLATED
        assert (made.origin.source_id, made.origin.checkpoint) == (name, sha256_of_file(path))
        assert made.origin.provenance.licence == "CC0"


def test_a_loaded_translator_equals_the_model_in_memory(tmp_path):
    path = tmp_path / "training.pt"
    model = CycleGan(CONFIG, CLASSES, DUAL_ENERGY, seed=0)
    model.fit(*domains(), checkpoint=path)
    photos = DomainSet.of_photos(crops(), CLASSES, 16)
    here = Translator.of(model).translate(photos.tensors, photos.class_index)
    there = Translator.load(path).translate(photos.tensors, photos.class_index)
    assert torch.equal(here, there)
    assert (here.masked_select(photos.tensors[:, -1:] == 0) == 1.0).all()


def test_translations_do_not_depend_on_the_batch_size():
    translator = Translator.of(CycleGan(CONFIG, CLASSES, DUAL_ENERGY, seed=0))
    photos = DomainSet.of_photos(crops(5), CLASSES, 16)
    one, all_ = (translator.translate(photos.tensors, photos.class_index, batch_size=size) for size in (1, 5))
    assert torch.allclose(one, all_, atol=1e-5)


def test_the_whole_silhouette_is_at_least_as_dark_at_its_edge_as_the_core_says():
    class Half(torch.nn.Module):
        conditional = False

        def forward(self, x):
            return torch.zeros(len(x), 2, *x.shape[2:])  # encoded 0 is T = 0.25

    model = CycleGan(CONFIG, CLASSES, DUAL_ENERGY, seed=0)
    model.ema.core, model.ema.conditional, model.ema.classes = Half(), False, 0
    name, pixels, mask, label = crops(1)[0]
    made = Translator.of(model).signature(pixels, mask, label, name="s", source_id=name, group="g")
    assert np.abs(made.image.values[:, mask] - 0.25).max() < 1e-4


def test_refuses_a_class_that_was_not_trained():
    translator = Translator.of(CycleGan(CONFIG, CLASSES, DUAL_ENERGY, seed=0))
    with pytest.raises(DataError, match="class 'gun' was not trained; the checkpoint knows hammer, bar"):
        translator.class_index("gun")


def test_refuses_photos_of_another_size():
    translator = Translator.of(CycleGan(CONFIG, CLASSES, DUAL_ENERGY, seed=0))
    with pytest.raises(DataError, match=r"expected photos of shape \(N, 4, 16, 16\)"):
        translator.translate(torch.ones(1, 4, 32, 32), torch.tensor([0]))


def test_networks_that_the_preset_has_no_longer_are_refused_in_words(tmp_path):
    path = tmp_path / "training.pt"
    state = CycleGan(CONFIG, CLASSES, DUAL_ENERGY, seed=0).state()
    state["ema"] = {name.replace("border", "edge"): value for name, value in state["ema"].items()}
    save_checkpoint(path, state)
    with pytest.raises(DataError, match=r"training\.pt: its networks are not those that preset tiny has today.*Train again"):
        Translator.load(path)
