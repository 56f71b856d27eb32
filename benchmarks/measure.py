"""What the benchmarks share: class counts of a published shape, times taken by turns, the authors' code from a file."""

import gc
import importlib.util
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
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
    """Median seconds of one call of each case, of :func:`turns`."""
    return {name: statistics.median(times) for name, times in turns(cases, rounds, warm_up, device).items()}


def turns(
    cases: dict[str, Callable[[], Any]], rounds: int, warm_up: int = 1, device: str = 'cpu'
) -> dict[str, list[float]]:
    """Seconds of every call of each case.

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
    return times


def spread(values: Sequence[float]) -> dict[str, float]:
    """``median`` of some numbers, and their quartiles ``low`` and ``high``."""
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    return dict(median=median, low=low, high=high)


def ratios(times: Sequence[float], others: Sequence[float]) -> dict[str, float]:
    """:func:`spread` of the ratios of each turn: what slows the machine for a moment slows both."""
    return spread([time / other for time, other in zip(times, others, strict=True)])


def take_device(device: str) -> None:
    """Let MMEngine, which takes a GPU where there is one, take what was asked for.

    Raises:
        SystemExit: If that is a GPU and there is none.
    """
    if device == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    elif not torch.cuda.is_available():
        raise SystemExit('error: expected a GPU for --device cuda, this machine has none. Leave --device out.')


def write_result(path: Path | None, result: dict[str, Any]) -> None:
    """Write a result file, or none: a quick look leaves the committed one alone."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + '\n')
    print(f'Written: {path}')


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
