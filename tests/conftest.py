"""Fixtures shared by all tests: every random number comes from one of these seeded generators."""

import numpy as np
import pytest
import torch


@pytest.fixture
def rng():
    """NumPy generator with a fixed seed."""
    return np.random.default_rng(20211011)


@pytest.fixture
def generator():
    """Torch CPU generator with a fixed seed."""
    return torch.Generator().manual_seed(20211011)
