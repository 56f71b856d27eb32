"""Fixtures shared by all tests: every random number comes from one of these seeded generators."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from forks import Forks


@pytest.fixture
def rng():
    """NumPy generator with a fixed seed."""
    return np.random.default_rng(20211011)


@pytest.fixture
def generator():
    """Torch CPU generator with a fixed seed."""
    return torch.Generator().manual_seed(20211011)


@pytest.fixture(scope='session')
def forks() -> Iterator[Forks]:
    """Starts scripts of several processes."""
    starter = Forks()
    yield starter
    starter.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: of several workers none is then left alone with them at the end."""
    slow = {item.path for item in items if item.get_closest_marker('slow')}
    items.sort(key=lambda item: item.path not in slow)
