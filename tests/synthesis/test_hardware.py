"""Precision, parts of a batch, devices: what may change nothing but speed and memory."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy import CLASSES, domains, equal

from threatray.core import DUAL_ENERGY
from threatray.errors import CheckFailed, ConfigError
from threatray.synthesis import onnx_export
from threatray.synthesis.checkpoint import load_checkpoint
from threatray.synthesis.config import Adversarial, Preset, TrainConfig, Weights
from threatray.synthesis.encoding import Encoding
from threatray.synthesis.hardware import Device, Precision, prepare, slow_precision, torch_device
from threatray.synthesis.image_pool import ImagePool
from threatray.synthesis.incumbent_models import export_incumbent
from threatray.synthesis.onnx_export import export_onnx
from threatray.synthesis.onnx_translator import OnnxTranslator
from threatray.synthesis.paper_config import Condition, Norm, PaperNetworks
from threatray.synthesis.presets import build_nets, nets_of
from threatray.synthesis.step import Batch, Optimisers, Pools, train_step
from threatray.synthesis.train import CycleGan
from threatray.synthesis.translate import Translator

SMALL = PaperNetworks(width=8, blocks=1, disc_width=8, disc_layers=1)
CONFIG = TrainConfig(size=16, steps=2, batch_size=4, pool_size=3)


def batch(count=4):
    generator = torch.Generator().manual_seed(0)
    mask = (torch.rand(count, 1, 16, 16, generator=generator) > 0.3).float()
    a, b = (torch.rand(count, channels, 16, 16, generator=generator) * 2 - 1 for channels in (3, 2))
    return Batch(a, mask, b, mask.flip(0), torch.arange(count) % 2)


def gradients(accumulate):
    nets = build_nets(Preset.TINY, 3, 2, 2, seed=1)
    still = [
        torch.optim.SGD([*one.parameters(), *two.parameters()], 0.0)
        for one, two in ((nets.gen_ab, nets.gen_ba), (nets.disc_a, nets.disc_b))
    ]
    weights = Weights(adversarial=Adversarial.LSGAN, covered_patches=False, lambda_moments=0.0)
    pools = Pools(ImagePool(0), ImagePool(0))
    losses = train_step(nets, Optimisers(*still), pools, batch(), weights, np.random.default_rng(0), accumulate=accumulate)
    return losses, [weight.grad for net in nets.named().values() for weight in net.parameters()]


@pytest.mark.parametrize("parts", [2, 4])
def test_a_batch_in_parts_has_the_losses_and_gradients_of_the_whole(parts):
    (whole, wanted), (pieces, got) = gradients(1), gradients(parts)
    for name, value in vars(whole).items():
        assert getattr(pieces, name) == pytest.approx(value, rel=1e-5), name
    for one, other in zip(got, wanted, strict=True):
        assert (one - other).norm() <= 1e-4 * other.norm() + 1e-6


def test_16_bits_change_the_pictures_a_little_and_leave_weights_and_outputs_in_32():
    config = TrainConfig(preset=Preset.PAPER, size=16, condition=Condition.NONE, paper=SMALL)
    nets, one = nets_of(config, 2, 1, seed=0), batch()
    for weight in nets.gen_ab.parameters():
        torch.nn.init.normal_(weight, 0.0, 0.1)
    exact, verdict = nets.gen_ab(one.real_a, one.mask_a, one.class_index), nets.disc_b(one.real_b, one.mask_b, one.class_index)[0]
    prepare(nets.named().values(), Precision.BF16, torch.device("cpu"), compiled=False)
    made, judged = nets.gen_ab(one.real_a, one.mask_a, one.class_index), nets.disc_b(one.real_b, one.mask_b, one.class_index)[0]
    assert made.dtype is judged.dtype is torch.float32
    assert 0 < (made - exact).abs().mean() < 0.02
    assert 0 < (judged - verdict).abs().mean() < 0.02 * verdict.abs().mean()
    made.sum().backward()
    assert all(weight.dtype is weight.grad.dtype is torch.float32 for weight in nets.gen_ab.parameters())


def test_training_in_16_bits_resumes_to_the_bit(tmp_path):
    config = replace(CONFIG, precision=Precision.BF16, accumulate=2, checkpoint_every=1)
    whole = CycleGan(config, CLASSES, DUAL_ENERGY, seed=3)
    whole.fit(*domains(), checkpoint=tmp_path / "whole.pt")
    done = []
    CycleGan(config, CLASSES, DUAL_ENERGY, seed=3).fit(
        *domains(), checkpoint=tmp_path / "killed.pt", on_progress=lambda *_: done.append(1), should_stop=lambda: bool(done)
    )
    again = CycleGan(config, CLASSES, DUAL_ENERGY, seed=3)
    again.fit(*domains(), checkpoint=tmp_path / "killed.pt")
    assert equal(again.state(), whole.state())


def test_checkpoints_of_before_these_settings_are_read_as_their_defaults():
    said = CONFIG.as_json()
    for name in ("condition", "paper", "precision", "accumulate", "compile", "device"):
        said.pop(name)
    assert TrainConfig.from_json(said) == CONFIG


def test_settings_come_back_from_json():
    config = replace(
        CONFIG,
        preset=Preset.PAPER,
        condition=Condition.MASK,
        paper=replace(SMALL, norm=Norm.BATCH, dropout=True),
        precision=Precision.BF16,
        device=Device.AUTO,
    )
    assert TrainConfig.from_json(config.as_json()) == config


@pytest.mark.parametrize("condition", list(Condition))
def test_plain_networks_are_told_nothing_and_others_what_they_are_promised(condition):
    config = TrainConfig(preset=Preset.PAPER, size=16, condition=condition, paper=SMALL)
    nets, one = nets_of(config, 2, 3, seed=0), batch(1)
    told = {Condition.NONE: 0, Condition.MASK: 1, Condition.MASK_AND_CLASS: 4}[condition]
    assert nets.gen_ab.core.model[1].in_channels == 3 + told
    assert nets.disc_b.core.model[0].in_channels == 2 + told
    whole = nets.gen_ab.inside(one.real_a, one.mask_a, one.class_index)
    other_class = nets.gen_ab.inside(one.real_a, one.mask_a, one.class_index + 1)
    other_mask = nets.gen_ab.inside(one.real_a, 1 - one.mask_a, one.class_index)
    assert torch.equal(whole, other_mask) is (condition is Condition.NONE)
    assert torch.equal(whole, other_class) is (condition is not Condition.MASK_AND_CLASS)
    assert (nets.gen_ab(one.real_a, one.mask_a, one.class_index)[one.mask_a.expand(-1, 2, -1, -1) == 0] == 1.0).all()


def test_onnx_takes_any_number_of_photos_and_keeps_what_it_must_know(tmp_path):
    translator = Translator.of(CycleGan(CONFIG, CLASSES, DUAL_ENERGY, seed=0))
    assert export_onnx(translator, tmp_path / "m.onnx") < 0.01
    there = OnnxTranslator.load(tmp_path / "m.onnx")
    assert (there.config, there.class_names, there.channels) == (CONFIG, CLASSES, DUAL_ENERGY)
    photos = domains()[0].tensors.numpy()
    classes = np.arange(len(photos)) % 2
    for count, size in ((1, 1), (5, 2), (5, 32)):
        here = translator.encoded(photos[:count], classes[:count], 32)
        assert np.abs(there.encoded(photos[:count], classes[:count], size) - here).max() < 1e-5
    first = (tmp_path / "m.onnx").read_bytes()
    export_onnx(translator, tmp_path / "again" / "m.onnx")
    assert (tmp_path / "again" / "m.onnx").read_bytes() == first
    assert b"/threatray/" not in first


def test_an_export_that_differs_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export.OnnxTranslator, "encoded", lambda self, photos, *_: np.zeros((len(photos), 2, 16, 16), np.float32))
    with pytest.raises(CheckFailed, match=r"would differ from the network by up to \d+\.\d\d grey levels; nothing was written"):
        export_onnx(Translator.of(CycleGan(CONFIG, CLASSES, DUAL_ENERGY, seed=0)), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_the_authors_code_gets_no_networks_of_another_encoding(tmp_path):
    paper = replace(SMALL, blocks=6)
    config = replace(CONFIG, steps=1, preset=Preset.PAPER, condition=Condition.NONE, paper=paper)
    CycleGan(config, CLASSES, DUAL_ENERGY, seed=0).save(tmp_path / "c.pt")
    with pytest.raises(ConfigError, match=r"trained on transmission to the power 0.5, .* Train with encoding.power 1, or export to ONNX"):
        export_incumbent(tmp_path / "c.pt", tmp_path / "theirs")
    linear = CycleGan(replace(config, encoding=Encoding(1.0)), CLASSES, DUAL_ENERGY, seed=0)
    linear.ema.requires_grad_(False)
    next(linear.ema.parameters()).fill_(0.25)
    linear.save(tmp_path / "linear.pt")
    state = load_checkpoint(tmp_path / "linear.pt")
    for averaged, wanted in ((True, state["ema"]), (False, state["nets"]["gen_ab"])):
        files, options = export_incumbent(tmp_path / "linear.pt", tmp_path / str(averaged), averaged=averaged)
        assert torch.equal(torch.load(files["G_A"], weights_only=True)["model.1.weight"], wanted["core.model.1.weight"])
        assert options.endswith("--input_nc 3 --output_nc 2")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"condition": Condition.NONE}, "condition and paper are for the presets paper, paper_6 and unet; tiny has networks of its own"),
        ({"accumulate": 3}, "accumulate must divide batch_size 4, got 3"),
        (
            {"preset": Preset.UNET, "size": 64, "paper": PaperNetworks(levels=7)},
            "halves the canvas 7 times, so size must be a multiple of 128",
        ),
    ],
)
def test_refuses_settings_that_do_not_go_together(change, text):
    with pytest.raises(ConfigError, match=text):
        replace(CONFIG, **change)
    with pytest.raises(ConfigError, match=r"paper.levels must be 0 or at least 3, got 2"):
        PaperNetworks(levels=2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_without_a_gpu_auto_is_the_processor_and_cuda_an_error():
    assert torch_device(Device.AUTO) == torch.device("cpu")
    with pytest.raises(ConfigError, match="torch finds no usable GPU"):
        torch_device(Device.CUDA)


@pytest.mark.parametrize(("capability", "slow"), [("AVX2", True), ("DEFAULT", True), ("AVX512", False)])
def test_bf16_without_instructions_for_it_is_said(monkeypatch, capability, slow):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    cpu = torch.device("cpu")
    said = slow_precision(Precision.BF16, cpu)
    assert (said is not None) is slow
    assert said is None or capability in said
    assert slow_precision(Precision.FP32, cpu) is None
    assert slow_precision(Precision.BF16, torch.device("cuda")) is None
