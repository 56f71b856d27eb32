"""Time and memory of reading a list of iNaturalist 2018's shape, as ratios measured in one run.

``python benchmarks/lists.py`` writes a list with the published numbers (437,513 lines, 8142 classes of 1000 to 2
images, paths of the published length) and reads it in three ways: by a bare ``readlines`` and ``split``, which keeps
Python strings; by ``mmdrl.ImageListDataset``, which checks every line besides; and by MMPretrain's ``CustomDataset``.
It then measures what looking for the end of an image file costs beside decoding it.
"""

import argparse
import json
import platform
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from measure import medians, power_law_counts
from mmpretrain.datasets import CustomDataset
from rich.console import Console
from rich.table import Table

from mmdrl.datasets import ImageListDataset
from mmdrl.datasets.lists.broken_images import BrokenImages
from mmdrl.datasets.lists.published import PUBLISHED
from mmdrl.engine.environment import describe_environment

ROOT = Path(__file__).parents[1]
SHAPE = PUBLISHED['iNaturalist 2018']['train']
IMAGE = (500, 375)  # pixels, as most of ImageNet has; those of iNaturalist are larger and decode slower
KINGDOMS = ('Actinopterygii', 'Amphibia', 'Animalia', 'Arachnida', 'Aves', 'Bacteria', 'Chromista', 'Fungi')
KINGDOMS += ('Insecta', 'Mammalia', 'Mollusca', 'Plantae', 'Protozoa', 'Reptilia')


def write_list(path: Path, counts: np.ndarray) -> None:
    """A shuffled list of images that do not exist."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    names = rng.bytes(16 * len(labels)).hex()
    path.write_text(
        ''.join(
            f'train_val2018/{KINGDOMS[label % len(KINGDOMS)]}/{label}/{names[32 * row : 32 * row + 32]}.jpg {label}\n'
            for row, label in enumerate(labels.tolist())
        )
    )


def bare(path: Path) -> list[list[str]]:
    """What a script would do."""
    with path.open() as lines:
        return [line.split() for line in lines.readlines()]


def ours(path: Path) -> ImageListDataset:
    """This project."""
    return ImageListDataset(str(path))


def mmpretrain(path: Path) -> CustomDataset:
    """MMPretrain, with its annotations serialised as by default."""
    return CustomDataset(ann_file=str(path), data_prefix='.')


def held_bytes(case: Callable[[], Any]) -> int:
    """Memory that the result of a call holds, of Python and NumPy."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = case()
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    del kept
    return held


def check_cost(folder: Path, rounds: int) -> dict[str, float]:
    """Microseconds of looking for the end of a JPEG, and of reading and decoding it."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (IMAGE[1] // 8, IMAGE[0] // 8, 3), dtype=np.uint8)
    path = str(folder / 'image.jpg')
    cv2.imwrite(path, cv2.resize(coarse, IMAGE, interpolation=cv2.INTER_CUBIC))
    broken = BrokenImages(1)
    cases = dict(check=lambda: broken.truncation(0, path), decode=lambda: cv2.imread(path))
    return {name: round(seconds * 1e6, 1) for name, seconds in medians(cases, 100 * rounds).items()}


def quick() -> dict[str, float]:
    """A shorter list, against bare reading."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / 'list.txt'
        write_list(path, power_law_counts(115_846, 1000, 1280, 5))
        seconds = medians(dict(bare=lambda: bare(path), ours=lambda: ours(path)), 15)
    return {'ours / bare': seconds['ours'] / seconds['bare']}


def parse_args() -> argparse.Namespace:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=5, help='readings in each way (default: %(default)s)')
    parser.add_argument('--out', type=Path, default=ROOT / 'benchmarks/results/lists_cpu.json', help='result file')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Measure, print, write."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    shape = (SHAPE.images, SHAPE.classes, SHAPE.largest, SHAPE.smallest)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / 'list.txt'
        write_list(path, power_law_counts(*shape))
        cases: dict[str, Callable[[], Any]] = dict(
            bare=lambda: bare(path), ours=lambda: ours(path), mmpretrain=lambda: mmpretrain(path)
        )
        seconds = medians(cases, args.rounds)
        memory = {name: round(held_bytes(case) / shape[0], 1) for name, case in cases.items()}
        size = path.stat().st_size
        image = check_cost(Path(name), args.rounds)
    rows = [
        dict(
            way=name,
            seconds=round(seconds[name], 3),
            ratio=round(seconds[name] / seconds['bare'], 2),
            bytes_per_image=memory[name],
        )
        for name in cases
    ]
    table = Table('read by', 'seconds', 'ratio to bare', 'bytes per image', title=f'{shape[0]:,} lines, {size:,} bytes')
    for row in rows:
        table.add_row(*(str(row[key]) for key in row))
    Console(width=120).print(table)
    print(f'Looking for the end of a JPEG: {image["check"]} us; reading and decoding it: {image["decode"]} us')
    machine = describe_environment() | dict(device=platform.machine(), cv2=cv2.__version__)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    result = dict(
        machine=machine, rounds=args.rounds, shape=shape, file_bytes=size, rows=rows, image_microseconds=image
    )
    args.out.write_text(json.dumps(result, indent=1) + '\n')
    print(f'Written: {args.out}')


if __name__ == '__main__':
    main(parse_args())
