"""Generates a miniature CIFAR in both forms: noise in the shapes of the real files.

Run ``python tests/miniature_cifar.py FOLDER`` to make one of CIFAR-100 by hand.
"""

import pickle
import sys
from pathlib import Path

import numpy as np

FOLDERS = {10: 'cifar-10-batches-py', 100: 'cifar-100-python'}
KEYS = {10: 'labels', 100: 'fine_labels'}
FILES = {
    10: {'train': [f'data_batch_{number}' for number in range(1, 6)], 'test': ['test_batch']},
    100: {'train': ['train'], 'test': ['test']},
}


def noise(num_classes: int, per_class: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 32, 32, 3) uint8 and shuffled labels (N,)."""
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.repeat(np.arange(num_classes), per_class))
    return generator.integers(0, 256, (len(labels), 32, 32, 3), dtype=np.uint8), labels


def write_arrays(root: Path, num_classes: int, split: str, images: np.ndarray, labels: np.ndarray) -> Path:
    """The one ``.npz`` of a split."""
    root.mkdir(parents=True, exist_ok=True)
    path = root / f'cifar{num_classes}_{split}.npz'
    np.savez(path, images=images, labels=labels)
    return path


def write_pickles(
    root: Path, num_classes: int, split: str, images: np.ndarray, labels: np.ndarray, protocol: int = 2
) -> Path:
    """The pickles of a split: rows of the red, then the green, then the blue plane."""
    folder = root / FOLDERS[num_classes]
    folder.mkdir(parents=True, exist_ok=True)
    names = FILES[num_classes][split]
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), 3072)
    for name, part, numbers in zip(
        names, np.array_split(rows, len(names)), np.array_split(labels, len(names)), strict=True
    ):
        content = {'data': part, KEYS[num_classes]: numbers.tolist(), 'batch_label': name}
        (folder / name).write_bytes(pickle.dumps(content, protocol=protocol))
    return folder


if __name__ == '__main__':
    for split, per_class in (('train', 4), ('test', 1)):
        print(write_arrays(Path(sys.argv[1]), 100, split, *noise(100, per_class)))
