"""What is timed against what: for each series a function that makes, of a size, the call to be timed.

Everything here is the public code of mmdrl on inputs made up for the purpose. K classes, D features, B samples in the
batch, N in the set.
"""

import tracemalloc
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from lists import held_bytes, ours, write_list
from loss import Batch, peak_memory
from numpy.typing import NDArray
from samplers import Labels

from mmdrl.datasets.samplers import BatchBalancedSampler, ClassAwareSampler, PowerSampler
from mmdrl.evaluation import Calibration, ClassAccuracy, ShotAccuracy
from mmdrl.models import ClassCentroids, DRLoss
from mmdrl.models.radius import ClassStatistics

Call = Callable[[], Any]


class Series(NamedTuple):
    """Time of one thing against one size.

    Attributes:
        part: What is timed; a panel of the figure for each.
        variable: Letter of the size.
        sizes: Those tried.
        call: Of a size, what is timed.
        touches: Power of the size with which that grows which must be touched: 0 to 2.
        memory: Of a size and a call, bytes that it needs; ``None`` where they say nothing.
        on_device: Whether it runs on an accelerator in a training.
    """

    part: str
    variable: str
    sizes: tuple[int, ...]
    call: Callable[[int], Call]
    touches: int = 1
    memory: Callable[[Call], float] | None = None
    on_device: bool = False

    @property
    def name(self) -> str:
        """``loss, K``."""
        return f'{self.part}, {self.variable}'


def skewed_counts(images: int, classes: int) -> NDArray[np.int64]:
    """Images per class, about a hundred times as many in the first as in the last, at least one."""
    shares = 100.0 ** -np.linspace(0, 1, classes)
    return np.maximum(np.rint(images * shares / shares.sum()), 1).astype(np.int64)


class SkewedLabels(Labels):
    """A data set of nothing but labels, shuffled."""

    def __init__(self, images: int, classes: int):
        counts = skewed_counts(images, classes)
        self.labels = np.random.default_rng(0).permutation(np.repeat(np.arange(classes), counts))


def powers(first: int, last: int, factor: int = 4) -> tuple[int, ...]:
    """Sizes from the first on, as long as they are at most the last."""
    sizes = [first]
    while sizes[-1] * factor <= last:
        sizes.append(sizes[-1] * factor)
    return tuple(sizes)


def traced_memory(call: Call) -> float:
    """Bytes that Python and NumPy hold at worst during a call."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def all_series(device: str, folder: Path, largest: float = 1.0) -> list[Series]:
    """Every series.

    Args:
        device: For those of a training step.
        folder: For lists.
        largest: Share of the usual largest size, for a quick look.
    """

    def up_to(first: int, last: int, factor: int = 4) -> tuple[int, ...]:
        return powers(first, max(int(last * largest), first * factor**2), factor)

    def loss(classes: int = 1000, width: int = 128, size: int = 256, labels: str = 'four per class') -> Call:
        return Batch(classes, width, size, labels, device).ours

    def loss_of_set(images: int, classes: int = 1000) -> Call:
        batch = Batch(classes, 128, 256, 'four per class', device)
        counts = torch.from_numpy(skewed_counts(images, classes)).to(device)
        module = DRLoss(classes, radius=dict(type='mmdrl.CountRadius'), scope='sample', margin=2.0).to(device)

        def step() -> None:
            batch.features.grad = None
            module(batch.features, batch.labels, batch.centroids, ClassStatistics(counts)).backward()

        return step

    def centroids(what: str, classes: int = 1000, width: int = 512, size: int = 256) -> Call:
        found = ClassCentroids(classes, width).to(device)
        features, labels = torch.randn(size, width, device=device), torch.randint(0, classes, (size,), device=device)
        found.accumulate(features, labels)
        return found.publish if what == 'publish' else partial(found.update, features, labels)

    def order(kind: Any, images: int = 200_000, classes: int = 1000, **settings: Any) -> Call:
        dataset = SkewedLabels(images, classes)
        return lambda: deque(kind(dataset, seed=0, num_samples=len(dataset), **settings), maxlen=0)

    def read(images: int) -> Call:
        path = folder / f'{images}.txt'
        write_list(path, skewed_counts(images, 1000))
        return lambda: ours(path)

    def metric(kind: Any, samples: int = 50_000, classes: int = 1000) -> Call:
        counted = kind(class_counts=skewed_counts(classes * 50, classes))
        true = np.arange(samples) % classes
        found = np.where(np.arange(samples) % 3, true, (true + 1) % classes)
        results: list[tuple[Any, ...]] = list(zip(found.tolist(), true.tolist(), strict=True))
        if kind is Calibration:
            results = [(label, pred, 0.7, 0.2) for pred, label in results]
        return lambda: counted.compute_metrics(results)

    def scores(classes: int) -> Call:
        counted = Calibration(class_counts=skewed_counts(classes * 50, classes))
        rows = torch.rand(64, classes).softmax(dim=1)
        samples = [dict(pred_score=row, gt_label=torch.tensor([0]), pred_label=torch.tensor([0])) for row in rows]

        def process() -> None:
            counted.results.clear()
            counted.process(None, samples)

        return process

    def step_memory(call: Call) -> float:
        return peak_memory(call, device) * 2**20

    balanced = partial(order, BatchBalancedSampler, classes_per_batch=64, samples_per_class=4)
    aware = partial(order, ClassAwareSampler, samples_per_class=4)
    step = dict(memory=step_memory, on_device=True)
    return [
        Series('loss', 'K', up_to(1000, 256_000), lambda K: loss(classes=K), 0, **step),
        Series('loss', 'N', up_to(100_000, 25_600_000), loss_of_set, 0, **step),
        # Above 2048 a matrix of all pairs is one of those that the C library takes from the system anew every time.
        Series('loss', 'B', up_to(64, 2048, 2), lambda B: loss(256, size=B, labels='random'), 2, **step),
        Series('loss', 'D', up_to(128, 8192), lambda D: loss(width=D), **step),
        Series('radii of all classes', 'K', up_to(1000, 1_024_000), partial(loss_of_set, 10_000_000), on_device=True),
        Series('centroids, a step', 'K', up_to(1000, 64_000), partial(centroids, 'update'), 0, on_device=True),
        Series(
            'centroids, a step',
            'B',
            up_to(256, 4096, 2),
            lambda B: centroids('update', width=128, size=B),
            on_device=True,
        ),
        Series('centroids, a step', 'D', up_to(256, 4096), lambda D: centroids('update', width=D), on_device=True),
        Series('centroids, an epoch', 'K', up_to(1000, 64_000), partial(centroids, 'publish'), on_device=True),
        Series(
            'centroids, an epoch', 'D', up_to(256, 16_384), lambda D: centroids('publish', width=D), 1, on_device=True
        ),
        Series('class-aware order', 'N', up_to(20_000, 5_120_000), aware, 1, traced_memory),
        Series('class-aware order', 'K', up_to(100, 102_400), lambda K: aware(classes=K)),
        Series('power-law order', 'N', up_to(20_000, 5_120_000), partial(order, PowerSampler, power=0.5)),
        Series('batch-balanced order', 'N', up_to(20_000, 5_120_000), balanced),
        Series('batch-balanced order', 'K', up_to(100, 102_400), lambda K: balanced(classes=K)),
        Series('reading a list', 'N', up_to(10_000, 2_560_000), read, 1, held_bytes),
        Series('shot accuracy', 'N', up_to(10_000, 640_000), partial(metric, ShotAccuracy)),
        Series('shot accuracy', 'K', up_to(100, 102_400), lambda K: metric(ShotAccuracy, classes=K)),
        Series('class accuracy', 'N', up_to(10_000, 640_000), partial(metric, ClassAccuracy)),
        Series('class accuracy', 'K', up_to(100, 102_400), lambda K: metric(ClassAccuracy, classes=K)),
        Series('calibration', 'N', up_to(10_000, 640_000), partial(metric, Calibration)),
        Series('calibration, 64 samples', 'K', up_to(1000, 64_000), scores),
    ]
