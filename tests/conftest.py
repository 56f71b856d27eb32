"""Fixtures shared by all tests: every random number comes from one of these seeded generators."""

import faulthandler
import os
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from forks import Forks

# Seconds that a session has to end after its last test. pytest-timeout watches the tests alone.
TIME_TO_END = 120


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


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """A session that does not end tells what all its threads do, and is ended."""
    with session.config.pluginmanager.getplugin('capturemanager').global_and_fixture_disabled():
        screen = os.dup(sys.__stderr__.fileno())
    faulthandler.dump_traceback_later(TIME_TO_END, exit=True, file=screen)
    yield
    if hasattr(session.config, 'workerinput'):  # one of several, which waits for the others
        faulthandler.cancel_dump_traceback_later()
