"""Prints the private memory that getting and reading every image costs loader workers, in MiB each.

``mapped`` is a file of ``numpy.savez`` read by two workers, ``packed`` one of ``numpy.savez_compressed`` read by one.
Pages that are no part of a file are counted (Anonymous). Those of a mapped file are the system's, and whether an
inherited page is shared at the moment depends on what the other processes write.
"""

import sys
from pathlib import Path

import numpy as np
from torch.utils.data import DataLoader

from mmdrl.datasets import ArrayDataset

IMAGES = 64 * 2**20 // (64 * 64 * 4)


def private_memory() -> float:
    rows = Path('/proc/self/smaps_rollup').read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith('Anonymous')) / 1024


class Scale:
    """Knows the memory of a spawned worker from before it got what is pickled after this."""

    before: float | None = None

    def __getstate__(self) -> dict:
        return {'empty': None}

    def __setstate__(self, state: dict) -> None:
        self.before = private_memory()


class Weighed:
    """A sample per worker: it reads every image and tells what the worker weighs more than before."""

    def __init__(self, dataset: ArrayDataset, workers: int):
        self.scale = Scale()
        self.dataset = dataset
        self.workers = workers

    def __len__(self) -> int:
        return self.workers

    def __getitem__(self, index: int) -> float:
        before = private_memory() if self.scale.before is None else self.scale.before
        assert all(self.dataset[position]['img'].any() for position in range(len(self.dataset)))
        return private_memory() - before


def weigh(path: str, workers: int, start_method: str) -> list[float]:
    weighed = Weighed(ArrayDataset(path), workers)
    loader = DataLoader(weighed, batch_size=1, num_workers=workers, multiprocessing_context=start_method)
    return [batch.item() for batch in loader]


def main(start_method: str) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (IMAGES, 64, 64, 4), dtype=np.uint8)
    labels = np.zeros(IMAGES, dtype=np.int64)
    np.savez('mapped.npz', images=images, labels=labels)
    np.savez_compressed('packed.npz', images=images, labels=labels)
    for name, workers in (('mapped', 2), ('packed', 1)):
        print(name, *(f'{growth:.1f}' for growth in weigh(f'{name}.npz', workers, start_method)))


if __name__ == '__main__':
    main(sys.argv[1])
