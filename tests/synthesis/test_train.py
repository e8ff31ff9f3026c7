import json
from dataclasses import replace

import pytest
import torch
from toy import CLASSES, domains, equal

from threatray.core import DUAL_ENERGY
from threatray.errors import ConfigError, DataError
from threatray.synthesis import train
from threatray.synthesis.checkpoint import load_checkpoint
from threatray.synthesis.config import Adversarial, Preset, TrainConfig, Weights
from threatray.synthesis.train import CycleGan, TrainingFailed

CONFIG = TrainConfig(size=16, steps=6, batch_size=2, pool_size=3, checkpoint_every=2)


def model(config=CONFIG, seed=3):
    return CycleGan(config, CLASSES, DUAL_ENERGY, seed=seed)


def stop_after(steps, losses=None):
    """A stop rule and a progress callback that together end a training after so many steps."""
    done = [0]

    def progress(step, total, step_losses, wait):
        done[0] += 1
        if losses is not None:
            losses.append(step_losses)

    return {"on_progress": progress, "should_stop": lambda: done[0] >= steps}


def test_resuming_equals_never_having_stopped_to_the_bit(tmp_path):
    whole, first, second = [], [], []
    one = model()
    one.fit(*domains(), **stop_after(99, whole))
    path = tmp_path / "training.pt"
    stopped = model().fit(*domains(), checkpoint=path, **stop_after(3, first))  # 3: between two regular checkpoints
    assert (stopped.steps, stopped.finished) == (3, False)
    two = model()
    result = two.fit(*domains(), checkpoint=path, **stop_after(99, second))
    assert (result.steps, result.finished) == (6, True)
    assert first + second == whole
    assert equal(one.state(), two.state())
    undisturbed = tmp_path / "undisturbed" / path.name  # the name is in the file
    undisturbed.parent.mkdir()
    one.save(undisturbed)
    assert path.read_bytes() == undisturbed.read_bytes()


@pytest.mark.parametrize(
    "weights", [Weights(r1_gamma=1.0, r1_every=4), Weights(adversarial=Adversarial.WGAN_GP, r1_gamma=0.0)], ids=("lazy R1", "WGAN-GP")
)
def test_penalties_keep_their_place_over_a_resume(tmp_path, weights):
    config, whole, parts = replace(CONFIG, weights=weights), [], []
    one = model(config)
    one.fit(*domains(), **stop_after(99, whole))
    path = tmp_path / "training.pt"
    model(config).fit(*domains(), checkpoint=path, **stop_after(3, parts))
    two = model(config)
    two.fit(*domains(), checkpoint=path, **stop_after(99, parts))
    assert parts == whole
    assert equal(one.state(), two.state())
    due = [True, False, False, False, True, False] if weights.r1_gamma else [True] * 6
    assert [losses.penalty_b > 0 for losses in whole] == due


def test_a_finished_checkpoint_is_not_trained_again(tmp_path):
    path = tmp_path / "training.pt"
    model().fit(*domains(), checkpoint=path)
    before = path.read_bytes()
    again = model().fit(*domains(), checkpoint=path)
    assert (again.steps, again.finished, again.losses) == (6, True, None)
    assert path.read_bytes() == before


def test_equal_seeds_train_equal_models_and_other_seeds_others():
    models = [model(seed=seed) for seed in (1, 1, 2)]
    for each in models:
        each.fit(*domains(), **stop_after(2))
    assert equal(models[0].state(), models[1].state())
    assert not equal(models[0].state()["ema"], models[2].state()["ema"])


def test_the_checkpoint_holds_everything_and_loads_without_running_code(tmp_path):
    path = tmp_path / "training.pt"
    one = model()
    one.fit(*domains(), checkpoint=path)
    state = load_checkpoint(path)
    assert {"nets", "ema", "optimisers", "pools", "pool_rng", "sampler", "step", "config", "seed"} <= set(state)
    assert TrainConfig.from_json(json.loads(state["config"])) == CONFIG
    assert len(state["pools"]["fake_b"]["image"]) == 3
    assert not list(tmp_path.glob(".*"))


def test_the_rate_is_flat_then_falls_in_a_line_to_zero():
    config = TrainConfig(steps=10, constant_share=0.4)
    assert [round(config.learning_rate_factor(step), 6) for step in (0, 4, 7, 10)] == [1.0, 1.0, 0.5, 0.0]
    assert TrainConfig(steps=10, constant_share=1.0).learning_rate_factor(10) == 1.0


def test_the_published_objective_has_neither_penalty_nor_moments():
    published = TrainConfig.published()
    assert (published.weights.r1_gamma, published.weights.lambda_moments, published.adam_beta1) == (0.0, 0.0, 0.5)


def test_the_first_decay_is_adams():
    one, two = model(replace(CONFIG, adam_beta1=0.0)), model(CONFIG)
    for each in (one, two):
        each.fit(*domains(), **stop_after(1))
    decays = [each.state()["optimisers"]["generators"]["param_groups"][0]["betas"][0] for each in (one, two)]
    assert decays == [0.0, 0.5]
    first, other = (each.state()["optimisers"]["generators"]["state"][0]["exp_avg"] for each in (one, two))
    assert torch.allclose(first, 2 * other, rtol=1e-4, atol=1e-9)  # after one step the average is (1 - beta1) times the gradient


def test_the_average_follows_the_generator_slowly():
    one = model(replace(CONFIG, ema_decay=0.5))
    start = [weight.clone() for weight in one.ema.parameters()]
    one.fit(*domains(), **stop_after(1))
    # the first decay is min(0.5, 1 / 10)
    for averaged, old, new in zip(one.ema.parameters(), start, one.nets.gen_ab.parameters(), strict=True):
        assert torch.allclose(averaged, 0.1 * old + 0.9 * new, atol=1e-7)


def test_a_loss_that_is_no_number_stops_with_the_step_and_the_batch(tmp_path, monkeypatch):
    real, calls = train.train_step, []

    def sick(*arguments, **options):
        calls.append(1)
        losses = real(*arguments, **options)
        return replace(losses, cycle_a=float("nan")) if len(calls) == 4 else losses

    monkeypatch.setattr(train, "train_step", sick)
    path = tmp_path / "training.pt"
    with pytest.raises(
        TrainingFailed, match=r"step 4: a loss is not a number .*photos (hammer|bar)-.*last good state is step 2 in .*training.pt"
    ):
        model().fit(*domains(), checkpoint=path)
    assert load_checkpoint(path)["step"] == 2


def test_samples_come_every_so_many_steps():
    seen = []
    model(replace(CONFIG, sample_every=2)).fit(*domains(), on_samples=seen.append)
    assert [samples.step for samples in seen] == [2, 4, 6]
    assert seen[0].fake_b.shape == (2, 2, 16, 16)
    assert not seen[0].fake_b.requires_grad


def test_the_callers_threads_come_back():
    before = torch.get_num_threads()
    model(replace(CONFIG, threads=before + 1)).fit(*domains(), **stop_after(1))
    assert torch.get_num_threads() == before


def test_resuming_with_another_configuration_is_refused(tmp_path):
    path = tmp_path / "training.pt"
    model().fit(*domains(), checkpoint=path)
    with pytest.raises(ConfigError, match=r"training.pt: made with steps = 6, asked for 7\. Train into another folder"):
        model(replace(CONFIG, steps=7)).fit(*domains(), checkpoint=path)
    with pytest.raises(ConfigError, match="made with seed = 3, asked for 4"):
        model(seed=4).fit(*domains(), checkpoint=path)


def test_an_identity_loss_between_unequal_channels_is_refused():
    with pytest.raises(ConfigError, match=r"a photo has 3 channels and a signature 2: .*Set lambda_identity to 0"):
        model(replace(CONFIG, weights=Weights(lambda_identity=0.5)))


def test_a_colour_domain_trains_with_identity(tmp_path):
    a, b = domains()
    coloured = replace(b, tensors=b.tensors[:, [0, 0, 1, 2]], channels=("red", "green", "blue"))
    config = replace(CONFIG, steps=1, weights=Weights(lambda_identity=0.5))
    result = CycleGan(config, CLASSES, coloured.channels, seed=0).fit(a, coloured)
    assert result.losses is not None
    assert result.losses.identity_a > 0


def test_domains_of_another_size_are_refused():
    with pytest.raises(DataError, match="domain A is 32 px, the configuration says 16 px"):
        model().fit(*domains(size=32))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"size": 20}, "size must be a multiple of 8"),
        ({"size": 32, "preset": Preset.UNET}, "size must be a multiple of 64, got 32"),
        ({"size": 16, "preset": Preset.PAPER_6}, "a PatchGAN of 3 layers leaves nothing of a canvas under 24 px, got 16. Take tiny"),
        ({"lr_generators": 0.0}, r"lr_generators must lie in \(0, 0.1\]"),
        ({"adam_beta1": 1.0}, r"adam_beta1 must lie in \[0, 1\)"),
        ({"ema_decay": 1.0}, r"ema_decay must lie in \[0, 1\)"),
        ({"constant_share": 1.5}, "constant_share must lie in"),
    ],
)
def test_refuses_a_configuration_out_of_range(change, text):
    with pytest.raises(ConfigError, match=text):
        replace(CONFIG, **change)
