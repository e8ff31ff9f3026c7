"""CUT and FastCUT: the objective, and that a training is never lost; the loop itself is CycleGAN's and tested with it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_step import batch
from toy import CLASSES, domains, equal

from threatray.core import DUAL_ENERGY
from threatray.errors import ConfigError
from threatray.synthesis.config import NceConfig, Preset, TrainConfig, Weights
from threatray.synthesis.cut import Cut, FastCut, as_photo, generator_terms
from threatray.synthesis.nce import draw_patches
from threatray.synthesis.translate import Translator
from threatray.synthesis.translator import make_translator

CONFIG = TrainConfig(
    translator="fastcut", size=16, steps=6, batch_size=2, pool_size=3, checkpoint_every=2, nce=NceConfig(patches=6, embedding=8)
)
KINDS = pytest.mark.parametrize("name", ["cut", "fastcut"])


def model(name="fastcut", seed=3, **changes):
    return make_translator(replace(CONFIG, translator=name, **changes), CLASSES, DUAL_ENERGY, seed=seed)


def plan_of(one, data, flipped=False):
    return replace(draw_patches(data.mask_a, one._sides, 6, np.random.default_rng(0)), flipped=flipped)


@KINDS
def test_resuming_equals_never_having_stopped_to_the_byte(tmp_path, name):
    whole, parts = [], []
    paths = [tmp_path / folder / "training.pt" for folder in ("undisturbed", "killed")]  # the name is in the file
    for path in paths:
        path.parent.mkdir()
    model(name).fit(*domains(), checkpoint=paths[0], on_progress=lambda *step: whole.append(step[2]))
    stopped = model(name).fit(
        *domains(), checkpoint=paths[1], on_progress=lambda *step: parts.append(step[2]), should_stop=lambda: len(parts) >= 3
    )
    assert (stopped.steps, stopped.finished) == (3, False)
    result = model(name).fit(*domains(), checkpoint=paths[1], on_progress=lambda *step: parts.append(step[2]))
    assert (result.steps, result.finished) == (6, True)
    assert parts == whole
    assert paths[1].read_bytes() == paths[0].read_bytes()


def test_other_seeds_are_other_models_and_equal_seeds_are_equal():
    models = [model(seed=seed) for seed in (1, 1, 2)]
    for each in models:
        each.fit(*domains())
    assert equal(models[0].state(), models[1].state())
    assert not equal(models[0].state()["ema"], models[2].state()["ema"])


@KINDS
def test_one_step_moves_every_network(name):
    one = model(name)
    before = {part: [weight.clone() for weight in net.parameters()] for part, net in one.nets.named().items()}
    losses = one._update(batch(channels_b=2))
    assert losses.finite()
    assert (losses.nce_identity > 0) is (name == "cut")
    for part, net in one.nets.named().items():
        assert any(not torch.equal(old, new) for old, new in zip(before[part], net.parameters(), strict=True)), part
        assert all(weight.requires_grad for weight in net.parameters())


def test_the_total_by_hand():
    one, data = model(), batch(channels_b=2)
    terms = generator_terms(one.nets, data, Weights(), CONFIG.nce, plan_of(one, data), None)
    told = replace(terms, adversarial=torch.tensor(0.5), nce=torch.tensor(2.0), nce_identity=torch.tensor(4.0))
    assert told.total(1.0, identity=True).item() == pytest.approx(0.5 + 1.0 * (2.0 + 4.0) / 2)
    assert told.total(10.0, identity=False).item() == pytest.approx(0.5 + 10.0 * 2.0)


def test_the_published_recipes():
    assert (Cut.variant.identity, Cut.variant.flip) == (True, False)
    assert (FastCut.variant.identity, FastCut.variant.flip) == (False, True)
    recipes = [TrainConfig.published(translator=name) for name in ("cut", "fastcut")]
    assert [(each.nce.lambda_nce, each.nce.patches, each.nce.temperature, each.pool_size) for each in recipes] == [
        (1.0, 256, 0.07, 0),
        (10.0, 256, 0.07, 0),
    ]


def test_the_weight_of_the_contrastive_term_is_obeyed():
    free, light = model(nce=replace(CONFIG.nce, lambda_nce=0.0)), model()
    for each in (free, light):
        each._update(batch(channels_b=2))
    assert all((weight.grad == 0).all() for weight in free.nets.patch_mlp.parameters())
    assert any((weight.grad != 0).any() for weight in light.nets.patch_mlp.parameters())


def test_the_contrastive_term_teaches_the_generator_through_its_output_and_its_encoder():
    one, data = model(), batch(channels_b=2)
    terms = generator_terms(one.nets, data, Weights(), CONFIG.nce, plan_of(one, data), None)
    terms.nce.backward()
    for layer in (one.nets.gen_ab.core.stem, one.nets.gen_ab.core.out):
        assert (layer.weight.grad != 0).any()
    assert all(weight.grad is None for weight in one.nets.disc_b.parameters())


def test_a_mirrored_batch_equals_mirrored_photos_whose_xray_is_mirrored_back():
    one, data = model(), batch(channels_b=2)
    with torch.no_grad():
        straight = generator_terms(one.nets, data, Weights(), CONFIG.nce, plan_of(one, data), None)
        mirrored = generator_terms(one.nets, data, Weights(), CONFIG.nce, plan_of(one, data, flipped=True), None)
        expected = one.nets.gen_ab(data.real_a.flip(3), data.mask_a.flip(3), data.class_index).flip(3)
    assert torch.equal(mirrored.fake_b, expected)
    assert not torch.equal(mirrored.fake_b, straight.fake_b)
    assert (mirrored.fake_b.masked_select(data.mask_a == 0) == 1).all()


def test_a_generator_that_copies_is_recognised_and_one_that_scrambles_is_not():
    """Identity features of the photo itself give the least loss; the same picture with its places exchanged a large one."""

    class Drawn(torch.nn.Module):
        def __init__(self, net, picture):
            super().__init__()
            self.net, self.picture, self.features = net, picture, net.features

        def forward(self, image, mask, class_index):
            return self.picture(image)

    one, data = model(), batch(count=2, channels_b=3)
    plan = plan_of(one, data)
    losses = {}
    for name, picture in {"copied": lambda x: x, "scrambled": lambda x: x.roll((5, 3), (2, 3)), "flat": lambda x: x * 0}.items():
        nets = replace(one.nets, gen_ab=Drawn(one.nets.gen_ab, picture), disc_b=lambda *_: [torch.zeros(2, 1)])
        with torch.no_grad():
            losses[name] = generator_terms(nets, data, Weights(), CONFIG.nce, plan, None).nce.item()
    assert losses["copied"] < min(losses["scrambled"], losses["flat"])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_signatures_look_like_photos_to_the_encoder_whatever_their_channels(channels):
    seen = as_photo(torch.linspace(0, 1, channels)[None, :, None, None].expand(1, channels, 4, 4))
    assert seen.shape == (1, 3, 4, 4)
    assert seen[0, :, 0, 0].tolist() == pytest.approx([0.0, 0.5, 1.0] if channels > 1 else [0.0] * 3)


def test_a_loaded_translator_equals_the_model_in_memory(tmp_path):
    path, one = tmp_path / "training.pt", model("cut")
    one.fit(*domains(), checkpoint=path)
    photos, _ = domains()
    loaded = Translator.load(path)
    assert loaded.config.translator == "cut"
    assert torch.equal(
        loaded.translate(photos.tensors, photos.class_index), Translator.of(one).translate(photos.tensors, photos.class_index)
    )
    again = model("cut")
    again.restore(path)
    assert equal(again.state(), one.state())


def test_resuming_as_another_translator_is_refused(tmp_path):
    path = tmp_path / "training.pt"
    model("cut").fit(*domains(), checkpoint=path)
    with pytest.raises(ConfigError, match=r"training.pt: made with translator = cut, asked for fastcut\. Train into another folder"):
        model("fastcut").fit(*domains(), checkpoint=path)


def test_the_paper_networks_take_a_step():
    one = model("cut", preset=Preset.PAPER_6, size=32, batch_size=1, steps=1)
    assert one.fit(*domains(size=32)).losses.finite()


def test_a_unet_is_refused():
    with pytest.raises(ConfigError, match=r"which a U-Net is not\. Choose another preset"):
        make_translator(TrainConfig(translator="cut", preset=Preset.UNET, size=64), CLASSES, DUAL_ENERGY, seed=0)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"lambda_nce": -1.0}, r"nce.lambda_nce must lie in \[0, 1000\], got -1.0"),
        ({"patches": 1}, "nce.patches must be at least 2, got 1"),
        ({"embedding": 0}, "nce.embedding must be at least 1, got 0"),
        ({"temperature": 0.0}, r"nce.temperature must lie in \(0, 10\], got 0.0"),
    ],
)
def test_refuses_bad_settings(change, text):
    with pytest.raises(ConfigError, match=text):
        NceConfig(**change)
