"""Threads of torch."""

from threatray.synthesis.train import _fixed_threads as fixed_threads

__all__ = ["fixed_threads"]
