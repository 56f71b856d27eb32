"""Time and memory of drawing one epoch's order, as ratios to torch's ``WeightedRandomSampler`` measured in one run.

``python benchmarks/samplers.py --released ClassAwareSampler.py`` compares with the authors' Python generator too (the
file is not part of this project; without it that column stays empty). The labels have the shape of iNaturalist 2018:
its published numbers of images and classes and its largest and smallest class, the classes between them falling by a
power law. An order is drawn as a list, for as many samples as images and for the class-aware default, the largest
class times the number of classes.
"""

import argparse
import json
import platform
import tracemalloc
from collections import deque
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import load_file, medians, power_law_counts
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch.utils.data import WeightedRandomSampler

from mmdrl.datasets.lists.published import PUBLISHED, PublishedSplit, check_numbers
from mmdrl.datasets.samplers import (
    BatchBalancedSampler,
    ClassAwareSampler,
    ClassSampler,
    EffectiveNumberSampler,
    PowerSampler,
    ProgressiveSampler,
)
from mmdrl.engine.environment import describe_environment

ROOT = Path(__file__).parents[1]
SHAPE = PUBLISHED['iNaturalist 2018']['train']
SAMPLERS: dict[str, tuple[type[ClassSampler], dict[str, Any]]] = {
    'ClassAwareSampler': (ClassAwareSampler, dict(samples_per_class=4)),
    'PowerSampler, power 1': (PowerSampler, dict(power=1.0)),
    'PowerSampler, power 0': (PowerSampler, dict(power=0.0)),
    'PowerSampler, power -1': (PowerSampler, dict(power=-1.0)),
    'ProgressiveSampler, midway': (ProgressiveSampler, dict(num_epochs=3)),
    'EffectiveNumberSampler': (EffectiveNumberSampler, dict(beta=0.9999)),
    'BatchBalancedSampler, 64 x 4': (BatchBalancedSampler, dict(classes_per_batch=64, samples_per_class=4)),
    'BatchBalancedSampler, 50 x 5': (BatchBalancedSampler, dict(classes_per_batch=50, samples_per_class=5)),
}


class Labels:
    """A data set that is nothing but labels of one shape, shuffled.

    Attributes:
        labels: Shape ``(N,)``.
    """

    def __init__(self, shape: PublishedSplit):
        counts = power_law_counts(shape.images, shape.classes, shape.largest, shape.smallest)
        self.labels = np.random.default_rng(0).permutation(np.repeat(np.arange(shape.classes), counts))

    def __len__(self) -> int:
        return len(self.labels)

    def get_gt_labels(self) -> NDArray[np.int64]:
        """The labels."""
        return self.labels


def peak_memory(sampler: Iterable[int]) -> float:
    """MiB that Python and NumPy hold at worst while a loader goes through the order, index by index."""
    tracemalloc.start()
    deque(sampler, maxlen=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def check(name: str, sampler: ClassSampler, labels: NDArray[np.int64]) -> None:
    """What is timed must be right: classes drawn as the law says."""
    counts = np.bincount(labels)
    draws = np.bincount(labels[sampler.global_order()], minlength=len(counts))
    assert draws.sum() == sampler.num_samples
    if isinstance(sampler, ClassAwareSampler | BatchBalancedSampler):
        assert np.ptp(draws) <= sampler.samples_per_class, name
        return
    if isinstance(sampler, PowerSampler):
        shares = counts.astype(float) ** sampler.power
    elif isinstance(sampler, EffectiveNumberSampler):
        shares = counts / (1 - sampler.beta**counts)
    else:
        shares = counts / counts.sum() / 2 + 1 / len(counts) / 2
    # Weights of the effective number are float32.
    assert np.abs(draws / sampler.num_samples - shares / shares.sum()).max() < 1.01 / sampler.num_samples, name


def compare(args: argparse.Namespace, dataset: Labels) -> list[dict[str, Any]]:
    """One row for every sampler and number of samples."""
    counts = np.bincount(dataset.labels)
    weights = torch.from_numpy(1 / counts[dataset.labels])
    rows = []
    for num_samples in (len(dataset), int(counts.max()) * len(counts)):
        samplers: dict[str, ClassSampler] = {}
        for name, (kind, settings) in SAMPLERS.items():
            samplers[name] = kind(dataset, **settings, num_samples=num_samples, seed=0)
            samplers[name].set_epoch(1)
            check(name, samplers[name], dataset.labels)
        every: dict[str, Any] = dict(WeightedRandomSampler=WeightedRandomSampler(weights, num_samples)) | samplers
        rounds = max(1, args.rounds * len(dataset) // num_samples)
        seconds = medians({name: partial(list, sampler) for name, sampler in every.items()}, rounds)
        if args.released:
            # Four images per class, as the authors' command sets it.
            released = load_file(args.released).ClassAwareSampler(dataset.labels.tolist(), num_samples_cls=4)
            released.num_samples = num_samples
            few = max(1, rounds // 10)
            seconds |= medians({'released generator': partial(list, released)}, few)
        for name, median in seconds.items():
            row = dict(sampler=name, num_samples=num_samples, milliseconds=round(median * 1e3, 1))
            row['ratio'] = round(median / seconds['WeightedRandomSampler'], 2)
            if name in samplers:
                row['peak_mib'] = round(peak_memory(samplers[name]), 1)
            if args.released and name in samplers:
                row['released_ratio'] = round(seconds['released generator'] / median, 1)
            rows.append(row)
    return rows


def quick() -> dict[str, float]:
    """Orders of one shape against torch's sampler."""
    torch.set_num_threads(1)
    dataset = Labels(SHAPE)
    counts = np.bincount(dataset.labels)
    every: dict[str, Any] = dict(
        torch=WeightedRandomSampler(torch.from_numpy(1 / counts[dataset.labels]), len(dataset))
    )
    for name in ('ClassAwareSampler', 'PowerSampler, power 0', 'BatchBalancedSampler, 64 x 4'):
        kind, settings = SAMPLERS[name]
        every[name] = kind(dataset, **settings, num_samples=len(dataset), seed=0)
    seconds = medians({name: partial(list, sampler) for name, sampler in every.items()}, 7)
    return {f'{name} / WeightedRandomSampler': seconds[name] / seconds['torch'] for name in list(every)[1:]}


def show(rows: list[dict[str, Any]]) -> None:
    """The table on the terminal."""
    table = Table('sampler', 'samples', 'ms', '/ WeightedRandomSampler', 'released /', 'peak memory, MiB')
    for row in rows:
        table.add_row(
            row['sampler'],
            f'{row["num_samples"]:,}',
            f'{row["milliseconds"]:.0f}',
            f'{row["ratio"]:.2f}',
            f'{row["released_ratio"]:.0f}' if 'released_ratio' in row else '-',
            f'{row["peak_mib"]:.0f}' if 'peak_mib' in row else '-',
        )
    Console(width=120).print(table)


def parse_args() -> argparse.Namespace:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--released', type=Path, help="ClassAwareSampler.py of the authors' code")
    parser.add_argument('--threads', type=int, default=1, help='of torch (default: %(default)s)')
    parser.add_argument(
        '--rounds',
        type=int,
        default=41,
        help='orders of each sampler; fewer of the long epochs, a tenth of the released (default: %(default)s)',
    )
    parser.add_argument('--out', type=Path, default=ROOT / 'benchmarks/results/samplers_cpu.json', help='result file')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Measure, print, write."""
    torch.set_num_threads(args.threads)
    dataset = Labels(SHAPE)
    check_numbers(dataset.labels, SHAPE, 'The generated list')
    rows = compare(args, dataset)
    show(rows)
    machine = describe_environment() | dict(device=platform.machine())
    shape = dict(K=SHAPE.classes, N=SHAPE.images, largest=SHAPE.largest, smallest=SHAPE.smallest)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(dict(machine=machine, rounds=args.rounds, shape=shape, rows=rows), indent=1) + '\n')
    print(f'Written: {args.out}')


if __name__ == '__main__':
    main(parse_args())
