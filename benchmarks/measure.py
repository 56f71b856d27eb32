"""What the benchmarks share: class counts of a published shape, times taken by turns, the authors' code from a file."""

import gc
import importlib.util
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def power_law_counts(images: int, classes: int, largest: int, smallest: int) -> NDArray[np.int64]:
    """Images per class, shape ``(classes,)``, falling, with exactly these numbers.

    A power of the counts falls evenly from the largest class to the smallest: below 0 a long tail, at 1 a straight
    line. The power is the one whose counts, rounded, sum up to ``images``.
    """
    rank = np.linspace(0, 1, classes)

    def counts(power: float) -> NDArray[np.int64]:
        falling = (1 - rank) * float(largest) ** power + rank * float(smallest) ** power
        return np.rint(falling ** (1 / power)).astype(np.int64)

    low, high = -10.0, 11.0  # no halving of these ends in 0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if counts(middle).sum() < images else (low, middle)
    found = counts(low)
    steps = np.flatnonzero(np.diff(found[:-1]) < 0) + 1
    found[steps[: images - int(found.sum())]] += 1  # rounding leaves a few; where the counts fall there is room
    return found


def medians(
    cases: dict[str, Callable[[], Any]], rounds: int, warm_up: int = 1, device: str = 'cpu'
) -> dict[str, float]:
    """Median seconds of one call of each case.

    They take turns call by call: all see the same machine, and as in training none finds its own data in the caches.
    Python's garbage collection, which would slow down those that make many objects, waits between the calls.
    """
    times: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(rounds + warm_up):
        for name, case in cases.items():
            gc.disable()
            _wait(device)
            begin = time.perf_counter()
            kept = case()
            _wait(device)
            if turn >= warm_up:
                times[name].append(time.perf_counter() - begin)
            del kept
            gc.enable()
    return {name: statistics.median(values) for name, values in times.items()}


def load_file(path: Path) -> ModuleType:
    """The module in a file of the authors' code."""
    if not path.is_file():
        raise SystemExit(f"error: expected {path.name} of the authors' code at {path}, found no such file.")
    spec = importlib.util.spec_from_file_location('released', path)
    if spec is None or spec.loader is None:
        raise SystemExit(f'error: expected a Python file, got {path}.')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _wait(device: str) -> None:
    if device == 'cuda':
        torch.cuda.synchronize()
