"""Settings of a training."""

from threatray.synthesis.train import TrainConfig

__all__ = ["TrainConfig"]
