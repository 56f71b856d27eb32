"""Random numbers that other code's draws are made of, in the order in which it asks for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch


@contextmanager
def torch_draws(numbers: list[float]) -> Iterator[None]:
    """torch.rand and torch.randint made of uniform numbers of [0, 1)."""
    left = iter(numbers)

    def rand(*_: Any) -> torch.Tensor:
        return torch.tensor(next(left), dtype=torch.double)

    def randint(stop: int, *_: Any) -> torch.Tensor:
        return torch.tensor(int(next(left) * stop))

    with patch.object(torch, 'rand', rand), patch.object(torch, 'randint', randint):
        yield
    assert next(left, None) is None


@contextmanager
def numpy_draws(numbers: list[float], all_of_them: bool = True) -> Iterator[None]:
    """NumPy's global rand, uniform and randint made of uniform numbers of [0, 1)."""
    left = iter(numbers)

    def rand() -> float:
        return next(left)

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * next(left)

    def randint(low: int, high: int | None = None) -> int:
        low, high = (0, low) if high is None else (low, high)
        return low + int(next(left) * (high - low))

    with (
        patch.object(np.random, 'rand', rand),
        patch.object(np.random, 'uniform', uniform),
        patch.object(np.random, 'randint', randint),
    ):
        yield
    assert not all_of_them or next(left, None) is None
