"""A fixed number of threads for a while: their number can change the last bit of a convolution."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def fixed_threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` threads inside the block, and what it used before afterwards.

    Example:
        >>> before = torch.get_num_threads()
        >>> with fixed_threads(2):
        ...     torch.get_num_threads()
        2
        >>> torch.get_num_threads() == before
        True
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
