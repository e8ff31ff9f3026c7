"""Features that know X-ray signatures: a small classifier trained on the real ones."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from threatray.core import FloatArray, derive, stream
from threatray.errors import ConfigError, DataError


@dataclass(frozen=True)
class EncoderConfig:
    """How the encoder is trained.

    Args:
        steps: Updates.
        batch_size: Signatures a step, classes equally often.
        learning_rate: Adam's, falling to 0 along a half cosine.
        width: Channels at half side; features are 4 times as many.
        density: Largest change of thickness, as ln of the factor on the attenuation.
        noise: Largest standard deviation of noise added to the encoded transmission.
        scale: Largest relative change of size.
        threads: Threads of torch; their number can change the last bit.
    """

    steps: int = 300
    batch_size: int = 32
    learning_rate: float = 2e-3
    width: int = 16
    density: float = 0.15
    noise: float = 0.05
    scale: float = 0.15
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "width", "threads"):
            if getattr(self, name) < 1:
                raise ConfigError(f"encoder: {name} must be at least 1, got {getattr(self, name)}.")
        for name, most in (("learning_rate", 1.0), ("density", 2.0), ("noise", 1.0), ("scale", 0.5)):
            if not 0.0 <= getattr(self, name) <= most:
                raise ConfigError(f"encoder: {name} must lie in [0, {most:g}], got {getattr(self, name)}.")


class _Network(nn.Module):
    def __init__(self, channels: int, width: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(4 * channels, width, 3, padding=1)
        self.first = nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)
        self.second = nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1)
        self.third = nn.Conv2d(4 * width, 4 * width, 3, padding=1)
        self.head = nn.Linear(4 * width, classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        hidden = functional.pixel_unshuffle(x, 2)
        for layer in (self.stem, self.first, self.second, self.third):
            hidden = functional.leaky_relu(layer(hidden), 0.1)
        # the mean over a canvas that is mostly air would be small: put it on the scale of 1
        return hidden.mean((2, 3)) * 4.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.features(x))
        return logits


class DomainEncoder:
    """Features and class probabilities of signatures on a canvas.

    Trained on real signatures only, so that it can judge made ones: for KID and FID in stated features, and for the gate.

    Args:
        network: The trained network.
        class_names: Its classes.
        channels: Number of channels it takes.
        config: How it was trained.
        seed: Of the training.
    """

    def __init__(self, network: nn.Module, class_names: tuple[str, ...], channels: int, config: EncoderConfig, seed: int) -> None:
        self._network = network.eval().requires_grad_(False)
        self.class_names, self.channels, self.config, self.seed = class_names, channels, config, seed

    @property
    def name(self) -> str:
        """The extractor's name in scores."""
        return f"xray-domain-encoder(width={self.config.width}, steps={self.config.steps}, seed={self.seed})"

    @classmethod
    def train(
        cls,
        transmission: NDArray[Any] | torch.Tensor,
        class_index: NDArray[Any] | torch.Tensor,
        class_names: tuple[str, ...],
        *,
        seed: int,
        config: EncoderConfig | None = None,
    ) -> Self:
        """Train on labelled real signatures.

        Args:
            transmission: (N, C, S, S) in (0, 1], 1 outside the objects, S a multiple of 8.
            class_index: (N,) into ``class_names``; some classes may be empty.
            class_names: The classes.
            seed: Equal seeds, data and threads give equal encoders.
            config: How to train.

        Raises:
            DataError: Wrong shapes, values out of range, or no signature.

        Example:
            >>> images = np.ones((4, 1, 16, 16), np.float32); images[:2, :, 4:12, 4:12] = 0.1; images[2:, :, 7:9, 2:14] = 0.5
            >>> labels, config = np.array([0, 0, 1, 1]), EncoderConfig(steps=60, width=4)
            >>> encoder = DomainEncoder.train(images, labels, ("gun", "knife"), seed=0, config=config)
            >>> encoder.probabilities(images).argmax(axis=1).tolist(), encoder.features(images).shape
            ([0, 0, 1, 1], (4, 16))
        """
        settings = config or EncoderConfig()
        images = _checked(transmission)
        labels = torch.as_tensor(class_index, dtype=torch.int64)
        if len(labels) != len(images) or len(images) == 0:
            raise DataError(f"encoder: expected as many labels as signatures and at least one, got {len(labels)} and {len(images)}.")
        if int(labels.min()) < 0 or int(labels.max()) >= len(class_names):
            raise DataError(f"encoder: class indices must lie in [0, {len(class_names)}), got {int(labels.min())} to {int(labels.max())}.")
        before = torch.get_num_threads()
        torch.set_num_threads(settings.threads)
        try:
            network = _initial(images.shape[1], settings.width, len(class_names), seed)
            _fit(network, images, labels, settings, stream(seed, "encoder"))
        finally:
            torch.set_num_threads(before)
        return cls(network, tuple(class_names), int(images.shape[1]), settings, seed)

    def features(self, transmission: NDArray[Any] | torch.Tensor, *, batch_size: int = 64) -> FloatArray:
        """(N, C, S, S) transmissions to (N, D) features; the batch size does not matter beyond float rounding."""
        return self._run(transmission, batch_size)[0]

    def probabilities(self, transmission: NDArray[Any] | torch.Tensor, *, batch_size: int = 64) -> FloatArray:
        """(N, C, S, S) transmissions to (N, classes) probabilities."""
        return self._run(transmission, batch_size)[1]

    def _run(self, transmission: NDArray[Any] | torch.Tensor, batch_size: int) -> tuple[FloatArray, FloatArray]:
        images = _checked(transmission)
        if images.shape[1] != self.channels:
            raise DataError(f"encoder: trained on {self.channels} channels, got {images.shape[1]}.")
        assert isinstance(self._network, _Network)
        features, probabilities = [], []
        with torch.inference_mode():
            for some in torch.split(images, batch_size):
                found = self._network.features(_encode(some))
                features.append(found)
                probabilities.append(self._network.head(found).softmax(1))
        return torch.cat(features).numpy(), torch.cat(probabilities).numpy()

    def state(self) -> dict[str, Any]:
        """Tensors and plain values, for ``torch.save``."""
        return {
            "network": self._network.state_dict(),
            "class_names": list(self.class_names),
            "channels": self.channels,
            "config": json.dumps(asdict(self.config)),
            "seed": self.seed,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """From what ``state`` gave."""
        config = EncoderConfig(**json.loads(state["config"]))
        network = _Network(state["channels"], config.width, len(state["class_names"]))
        network.load_state_dict(state["network"])
        return cls(network, tuple(state["class_names"]), state["channels"], config, state["seed"])


def _checked(transmission: NDArray[Any] | torch.Tensor) -> torch.Tensor:
    images = torch.as_tensor(transmission, dtype=torch.float32)
    if images.ndim != 4 or images.shape[2] != images.shape[3] or images.shape[2] % 8:
        raise DataError(f"encoder: expected (N, C, S, S) with S a multiple of 8, got {tuple(images.shape)}.")
    if images.numel() and not (float(images.amin()) >= 0.0 and float(images.amax()) <= 1.0001):  # NaN fails too
        raise DataError("encoder: expected transmissions in (0, 1]. Decode network outputs first.")
    return images


def _encode(transmission: torch.Tensor) -> torch.Tensor:
    """Square root spreads the dark end; air becomes 0, so that blank canvas says nothing."""
    return 2.0 * (transmission.sqrt() - 1.0)


def _initial(channels: int, width: int, classes: int, seed: int) -> _Network:
    with torch.random.fork_rng(devices=[]):  # construction draws from the global stream before ours overwrites it
        network = _Network(channels, width, classes)
    generator = torch.Generator().manual_seed(derive(seed, "encoder-weights") % 2**63)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, a=0.1, generator=generator)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return network


def _fit(network: _Network, images: torch.Tensor, labels: torch.Tensor, config: EncoderConfig, rng: np.random.Generator) -> None:
    members = [np.flatnonzero(labels.numpy() == index) for index in range(int(labels.max()) + 1)]
    members = [places for places in members if places.size]
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    for step in range(config.steps):
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * 0.5 * (1.0 + float(np.cos(np.pi * step / config.steps)))
        chosen = [members[rng.integers(len(members))] for _ in range(config.batch_size)]
        index = torch.from_numpy(np.array([places[rng.integers(places.size)] for places in chosen]))
        batch = _augmented(images[index], config, rng)
        loss = functional.cross_entropy(network(batch), labels[index], label_smoothing=0.05)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _augmented(images: torch.Tensor, config: EncoderConfig, rng: np.random.Generator) -> torch.Tensor:
    """Encoded signatures in any pose, thickness and noise."""
    count = len(images)
    angle, size = rng.uniform(0, 2 * np.pi, count), np.exp(rng.uniform(-1, 1, count) * config.scale)
    mirror = np.where(rng.random(count) < 0.5, -1.0, 1.0)
    matrix = np.zeros((count, 2, 3), np.float32)
    matrix[:, 0, 0], matrix[:, 0, 1] = mirror * size * np.cos(angle), -mirror * size * np.sin(angle)
    matrix[:, 1, 0], matrix[:, 1, 1] = size * np.sin(angle), size * np.cos(angle)
    grid = functional.affine_grid(torch.from_numpy(matrix), list(images.shape), align_corners=False)
    moved = functional.grid_sample(images - 1.0, grid, align_corners=False).add(1.0).clamp(1e-6, 1.0)
    power = np.exp(rng.uniform(-1, 1, (count, 1, 1, 1)) * config.density).astype(np.float32)
    level = (rng.uniform(0, 1, (count, 1, 1, 1)) * config.noise).astype(np.float32)
    noise = rng.standard_normal(images.shape, np.float32) * level
    return _encode(moved ** torch.from_numpy(power)) + torch.from_numpy(noise)
