"""Small images as lossless strips, with the labels of their whole set, and back to the array files of ``mmdrl.CIFAR``.

Needs NumPy and Pillow alone, as it also runs where nothing of OpenMMLab is installed yet.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

STRIP = 500  # images; a WebP is at most 16,383 pixels high
HELD_OUT = 20  # images of each class, in the plans that choose settings


def pack_split(
    folder: Path, split: str, images: NDArray[np.uint8], labels: NDArray, index: NDArray, covers: str = 'all'
) -> None:
    """Write strips of some images of one split, one below the other, and what belongs to them.

    Args:
        folder: Where to; it must be there.
        split: Name of the split.
        images: Shape ``(n, 32, 32, 3)``.
        labels: Of the whole split, shape ``(N,)``.
        index: Positions of the images in it, shape ``(n,)``.
        covers: What these images are, in words.
    """
    for number, first in enumerate(range(0, len(images), STRIP)):
        strip = np.concatenate(images[first : first + STRIP])
        # A higher quality packs 2 % smaller, in 200 times the time.
        Image.fromarray(strip).save(folder / f'{split}-{number:03}.webp', lossless=True, quality=0, method=2)
    np.savez_compressed(folder / f'{split}.npz', labels=labels, index=index)
    facts = dict(images=len(images), sha256=_hash(images), covers=covers)
    (folder / f'{split}.json').write_text(json.dumps(facts))


def unpack_split(folder: Path, split: str, target: Path) -> str:
    """Write the array file of one split, and say what it holds.

    Images that were packed stand in their places. Where others are missing, they are black, and ``present`` says so,
    shape ``(N,)``, bool: ``mmdrl.CIFAR`` refuses them. A file of the whole split that is there already stays.

    Args:
        folder: Of the strips.
        split: Name of the split.
        target: The ``.npz``, with ``images``, ``labels`` and, if images are missing, ``present``.

    Raises:
        SystemExit: If a strip is missing, the images are not those that were packed, or another file is in the way.
    """
    if target.is_file() and _is_whole(target):
        return f'{target} was there already, without a gap, and stays.'
    facts = json.loads((folder / f'{split}.json').read_text())
    strips = [np.asarray(Image.open(path)) for path in sorted(folder.glob(f'{split}-*.webp'))]
    images = np.concatenate([strip.reshape(-1, strip.shape[1], *strip.shape[1:]) for strip in strips] or [np.empty(0)])
    if len(images) != facts['images'] or _hash(images) != facts['sha256']:
        sys.exit(f'error: {folder} does not hold the {facts["images"]:,} images of {split} that were packed there.')
    arrays = np.load(folder / f'{split}.npz')
    labels, index = arrays['labels'].astype(np.int64), arrays['index']
    whole = np.zeros((len(labels), *images.shape[1:]), np.uint8)
    whole[index] = images
    present = np.zeros(len(labels), bool)
    present[index] = True
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f'.{target.name}.part')
    content = dict(images=whole, labels=labels)
    if not present.all():
        content['present'] = present
    with aside.open('wb') as file:
        np.savez(file, **content)
    aside.replace(target)
    return f'{target} holds {len(images):,} images of {len(labels):,}: {facts["covers"]}.'


def needed_images(dataset: Any, ratio: float, held_out: int = HELD_OUT) -> NDArray[np.int64]:
    """Positions of the images of a long tail, and of both parts of it with some of each class held out, ascending.

    Args:
        dataset: That ``mmdrl.LongTailDataset`` wraps.
        ratio: Largest class over smallest. Longer tails are parts of shorter ones.
        held_out: Images of each class.
    """
    from mmdrl.datasets import LongTailDataset

    tails = [
        LongTailDataset(dataset, ratio),
        LongTailDataset(dataset, ratio, holdout_per_class=held_out),
        LongTailDataset(dataset, ratio, holdout_per_class=held_out, part='holdout'),
    ]
    return np.unique(np.concatenate([tail.indices for tail in tails]))


def pack_cifar100_lt(data: Path, folder: Path, ratio: float) -> None:
    """Strips of CIFAR-100-LT, of its parts with a hold-out, and of the test set.

    Args:
        data: Folder that ``mmdrl.CIFAR`` reads.
        folder: Where to.
        ratio: Largest class over smallest.
    """
    from mmdrl.datasets import CIFAR

    folder.mkdir(parents=True)
    train, test = (CIFAR(100, split, data_root=str(data), pipeline=[]) for split in ('train', 'test'))
    tails = (
        f'CIFAR-100-LT at ratio {ratio:g} and above (seed 0), whole and in both parts with {HELD_OUT} images of each '
        'class held out'
    )
    chosen = needed_images(train, ratio)
    for split, dataset, index, covers in (('train', train, chosen, tails), ('test', test, np.arange(len(test)), 'all')):
        images = np.stack([dataset.get_data_info(position)['img'] for position in index.tolist()])
        pack_split(folder, split, images, dataset.get_gt_labels(), index, covers)


def _is_whole(path: Path) -> bool:
    """Whether an array file has all images; else it has been made by this, and may be replaced."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return 'present' not in arrays
    except Exception:  # what NumPy raises depends on the damage
        sys.exit(f'error: expected {path} to be an array file or none, and it cannot be read. Move it away.')


def _hash(images: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest()
