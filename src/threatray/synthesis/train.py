"""Training: the loop, its schedule, its averaged weights, and its memory of where it was."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from threatray.core import derive, stream
from threatray.errors import ConfigError, DataError, ThreatrayError
from threatray.synthesis.checkpoint import load_checkpoint, save_checkpoint
from threatray.synthesis.config import TrainConfig
from threatray.synthesis.distributed import agreed, average_gradients, mean_losses
from threatray.synthesis.domain import DomainSet
from threatray.synthesis.hardware import prepare, torch_device
from threatray.synthesis.image_pool import ImagePool
from threatray.synthesis.presets import nets_of
from threatray.synthesis.sampling import PairSampler
from threatray.synthesis.step import Batch, Optimisers, Pools, StepLosses, train_step
from threatray.synthesis.threads import fixed_threads


class TrainingFailed(ThreatrayError):  # noqa: N818  (says what happened)
    """The losses stopped being numbers; the message names the step, the batch and the last good checkpoint."""


@dataclass(frozen=True, eq=False)
class Samples:
    """A batch and what the averaged generator makes of it, for looking at; all encoded, (N, C, S, S)."""

    step: int
    batch: Batch
    fake_b: torch.Tensor


@dataclass(frozen=True)
class FitResult:
    """How a training ended.

    Args:
        steps: Steps done in all, with those before a resume.
        finished: Whether all steps are done; False where ``should_stop`` asked for an end.
        losses: Of the last step; None where nothing was left to do.
        seconds: Wall time of this call.
        data_wait: Share of it spent on making batches.
        missing: Classes that were left out for lack of photos or signatures.
    """

    steps: int
    finished: bool
    losses: StepLosses | None
    seconds: float
    data_wait: float
    missing: tuple[str, ...]


Progress = Callable[[int, int, StepLosses, float], None]


class CycleGan:
    """A CycleGAN between two domains, with all of its state.

    Args:
        config: What is trained.
        class_names: The classes, in the domains' order.
        channels_b: Channel names of the signatures.
        seed: Of the weights, the batches and the pools.

    Raises:
        ConfigError: An identity loss is asked for where the domains have different channels.

    Example:
        >>> model = CycleGan(TrainConfig(size=16, steps=1), ("gun",), ("low_energy", "high_energy"), seed=0)
        >>> model.step
        0
    """

    def __init__(self, config: TrainConfig, class_names: tuple[str, ...], channels_b: tuple[str, ...], *, seed: int) -> None:
        if config.weights.lambda_identity > 0.0 and len(channels_b) != 3:
            raise ConfigError(
                f"train: lambda_identity is {config.weights.lambda_identity}, but a photo has 3 channels and a signature "
                f"{len(channels_b)}: the identity loss feeds each generator its own output domain, which needs equal channels. "
                "Set lambda_identity to 0."
            )
        self.config, self.class_names, self.channels_b, self.seed = config, tuple(class_names), tuple(channels_b), seed
        self.nets = nets_of(config, len(channels_b), len(class_names), derive(seed, "weights"))
        self.device = torch_device(config.device)
        prepare(self.nets.named().values(), config.precision, self.device, compiled=config.compile)
        self.ema = copy.deepcopy(self.nets.gen_ab).requires_grad_(False)
        self._optimisers = Optimisers(
            _adam([self.nets.gen_ab, self.nets.gen_ba], config.lr_generators),
            _adam([self.nets.disc_a, self.nets.disc_b], config.lr_discriminators),
        )
        self._pools = Pools(ImagePool(config.pool_size), ImagePool(config.pool_size))
        self._pool_rng = stream(seed, "pool")
        self._sampler_state = json.dumps(stream(seed, "sampler").bit_generator.state)
        self.step = 0

    def fit(
        self,
        domain_a: DomainSet,
        domain_b: DomainSet,
        *,
        checkpoint: Path | None = None,
        on_progress: Progress | None = None,
        on_samples: Callable[[Samples], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> FitResult:
        """Train up to ``config.steps``; go on from ``checkpoint`` if that file exists.

        Args:
            domain_a: Photos.
            domain_b: Signatures.
            checkpoint: Where the whole state is saved, atomically, every ``checkpoint_every`` steps, on a stop, and at the end.
            on_progress: Called after every step with (steps done, steps in all, losses, seconds this step waited for data).
            on_samples: Called every ``sample_every`` steps.
            should_stop: Asked before every step; True saves and returns.

        Raises:
            ConfigError: The checkpoint was made with another configuration, seed or set of classes.
            DataError: The domains do not fit together or to this model.
            TrainingFailed: A loss became NaN or infinite.
        """
        self._check(domain_a, domain_b)
        if checkpoint is not None and checkpoint.is_file():
            self._restore(load_checkpoint(checkpoint), checkpoint)
        sampler = PairSampler(domain_a, domain_b, self.config.batch_size, self.config.augment, stream(self.seed, "sampler"))
        sampler.restore(self._sampler_state)
        began, waited, losses, last_saved = time.perf_counter(), 0.0, None, self.step
        with fixed_threads(self.config.threads):
            while self.step < self.config.steps:
                if should_stop is not None and agreed(should_stop()):
                    break
                start = time.perf_counter()
                plan = sampler.draw()
                batch = sampler.apply(plan).to(self.device)
                wait = time.perf_counter() - start
                waited += wait
                losses = self._advance(batch)
                if not losses.finite():
                    saved = f"The last good state is step {last_saved} in {checkpoint}" if checkpoint else "No checkpoint was asked for"
                    raise TrainingFailed(
                        f"train: step {self.step + 1}: a loss is not a number ({losses}). Batch: {sampler.names(plan)}. {saved}. "
                        "Lower the learning rates."
                    )
                self.step += 1
                self._sampler_state = sampler.state()
                if on_progress is not None:
                    on_progress(self.step, self.config.steps, losses, wait)
                if on_samples is not None and self.config.sample_every and self.step % self.config.sample_every == 0:
                    with torch.no_grad():
                        on_samples(Samples(self.step, batch, self.ema(batch.real_a, batch.mask_a, batch.class_index)))
                if checkpoint is not None and self.step % self.config.checkpoint_every == 0:
                    self.save(checkpoint)
                    last_saved = self.step
        if checkpoint is not None and (self.step != last_saved or not checkpoint.is_file()):
            self.save(checkpoint)
        seconds = time.perf_counter() - began
        share = waited / seconds if seconds > 0 else 0.0
        return FitResult(self.step, self.step >= self.config.steps, losses, seconds, share, sampler.missing)

    def save(self, path: Path) -> None:
        """Write the whole state to one file."""
        save_checkpoint(path, self.state())

    def state(self) -> dict[str, Any]:
        """Everything there is to a training, as tensors and plain values."""
        return {
            "config": json.dumps(self.config.as_json(), sort_keys=True),
            "class_names": list(self.class_names),
            "channels_b": list(self.channels_b),
            "seed": self.seed,
            "step": self.step,
            "nets": {name: net.state_dict() for name, net in self.nets.named().items()},
            "ema": self.ema.state_dict(),
            "optimisers": {
                "generators": self._optimisers.generators.state_dict(),
                "discriminators": self._optimisers.discriminators.state_dict(),
            },
            "pools": {"fake_a": self._pools.fake_a.state_dict(), "fake_b": self._pools.fake_b.state_dict()},
            "pool_rng": json.dumps(self._pool_rng.bit_generator.state),
            "sampler": self._sampler_state,
        }

    def _restore(self, state: dict[str, Any], path: Path) -> None:
        mine, theirs = self.config.as_json(), json.loads(state["config"])
        for name in sorted(set(mine) | set(theirs)):
            if mine.get(name) != theirs.get(name):
                raise ConfigError(
                    f"{path}: made with {name} = {theirs.get(name)}, asked for {mine.get(name)}. "
                    "Train into another folder, or set it back to resume."
                )
        for name in ("class_names", "channels_b", "seed"):
            here, there = getattr(self, name), state[name]
            if (list(here) if isinstance(here, tuple) else here) != there:
                raise ConfigError(f"{path}: made with {name} = {there}, asked for {here}. Train into another folder.")
        for name, net in self.nets.named().items():
            net.load_state_dict(state["nets"][name])
        self.ema.load_state_dict(state["ema"])
        self._optimisers.generators.load_state_dict(state["optimisers"]["generators"])
        self._optimisers.discriminators.load_state_dict(state["optimisers"]["discriminators"])
        self._pools.fake_a.load_state_dict(state["pools"]["fake_a"])
        self._pools.fake_b.load_state_dict(state["pools"]["fake_b"])
        self._pool_rng.bit_generator.state = json.loads(state["pool_rng"])
        self._sampler_state = state["sampler"]
        self.step = state["step"]

    def _advance(self, batch: Batch) -> StepLosses:
        factor = self.config.learning_rate_factor(self.step)
        for group in self._optimisers.generators.param_groups:
            group["lr"] = factor * self.config.lr_generators
        for group in self._optimisers.discriminators.param_groups:
            group["lr"] = factor * self.config.lr_discriminators
        weights, parts = self.config.weights, self.config.accumulate
        losses = train_step(self.nets, self._optimisers, self._pools, batch, weights, self._pool_rng, accumulate=parts)
        # a young average must not remember the random start: the decay grows with the steps
        decay = min(self.config.ema_decay, (1.0 + self.step) / (10.0 + self.step))
        with torch.no_grad():
            for averaged, current in zip(self.ema.parameters(), self.nets.gen_ab.parameters(), strict=True):
                averaged.lerp_(current, 1.0 - decay)
        return mean_losses(losses)

    def _check(self, domain_a: DomainSet, domain_b: DomainSet) -> None:
        for name, domain, channels in (("A", domain_a, 3), ("B", domain_b, len(self.channels_b))):
            if domain.size != self.config.size:
                raise DataError(f"train: domain {name} is {domain.size} px, the configuration says {self.config.size} px.")
            if domain.class_names != self.class_names:
                raise DataError(f"train: domain {name} has classes {domain.class_names}, this model {self.class_names}.")
            if len(domain.channels) != channels:
                raise DataError(f"train: domain {name} has channels {domain.channels}, this model expects {channels}.")


def _adam(nets: list[torch.nn.Module], rate: float) -> torch.optim.Optimizer:
    weights = [weight for net in nets for weight in net.parameters()]
    optimiser = torch.optim.Adam(weights, lr=rate, betas=(0.5, 0.999), foreach=True)
    optimiser.register_step_pre_hook(average_gradients)
    return optimiser
