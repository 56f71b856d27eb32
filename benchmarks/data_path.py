"""Images per second of the data path for small images, whole batches against MMPretrain's stock path, in one run.

``python benchmarks/data_path.py`` goes through loader and data preprocessor, without a model, in both ways:
MMPretrain's CIFAR class with its own transforms per image, ``default_collate``, which its tool sets, and
``ClsDataPreprocessor``; and ``mmdrl.ArrayDataset`` with ``collate_images`` and ``BatchDataPreprocessor``, its images
seeded one by one as the loops of mmdrl do. Both have the same random images of CIFAR's shape, the same sampler, the
same number of workers. Since MMPretrain has AutoAugment's policy of ImageNet only, ``stock_policy.py`` puts that of
CIFAR-10 together of its operations; a row of its own has the transforms of mmdrl for single images, through Pillow.
Then it times a training step of ResNet-32 fed by the loader, as a ratio to one whose batch is there already.
"""

import argparse
import json
import platform
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import ratios, spread, turns
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmpretrain.datasets import CIFAR100
from rich.console import Console
from rich.table import Table
from stock_policy import AUTO_AUGMENT, CUTOUT

from mmdrl.engine.environment import describe_environment
from mmdrl.engine.loops.image_seeds import seed_images
from mmdrl.registry import MODELS

ROOT = Path(__file__).parents[1]
IMAGES = 10_847  # as CIFAR-100-LT has
CLASSES = 100
STATISTICS = dict(mean=[129.304, 124.070, 112.434], std=[68.170, 65.392, 70.418], num_classes=CLASSES)
CROP_FLIP = (
    [dict(type='RandomCrop', crop_size=32, padding=4), dict(type='RandomFlip', prob=0.5, direction='horizontal')],
    [dict(type='mmdrl.BatchCrop', size=32, padding=4), dict(type='mmdrl.BatchFlip', prob=0.5)],
)
PILLOW = [dict(type='mmdrl.AutoAugmentPolicy', channel_order='rgb'), dict(type='mmdrl.SquareCutout', length=16)]
WHOLE = [*CROP_FLIP[1], dict(type='mmdrl.BatchAutoAugment'), dict(type='mmdrl.BatchCutout', length=16)]
STEPS: dict[str, tuple[list[Any], list[Any]]] = {
    'crop, flip': CROP_FLIP,
    'crop, flip, AutoAugment, Cutout': ([*CROP_FLIP[0], AUTO_AUGMENT, CUTOUT], WHOLE),
    'the same, one by one through Pillow': ([*CROP_FLIP[0], *PILLOW], WHOLE),
    'validation': ([], []),
}
GOALS = {'crop, flip': 10, 'crop, flip, AutoAugment, Cutout': 15}  # times the images per second of the stock path
STEP_GOAL = 1.1  # times a step whose batch is in memory


class StockCIFAR(CIFAR100):
    """MMPretrain's class over arrays in memory in place of the published pickles."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, **settings: Any):
        self.arrays = images, labels
        super().__init__(data_root='.', split='train', **settings)

    def load_data_list(self) -> list[dict[str, Any]]:
        """What MMPretrain makes of its files."""
        return [dict(img=image, gt_label=int(label)) for image, label in zip(*self.arrays, strict=True)]


class Path32:
    """One way from the data set to the batch of a model.

    Args:
        dataset: With the transforms.
        collate: Name of the function that makes a batch.
        preprocessor: Config of the data preprocessor.
        workers: Of the loader.
        batch: Images in a batch.
        device: Where batches go.
        is_seeded: Whether images have seeds, as under the loops of mmdrl.
        training: Whether batches are augmented.
    """

    def __init__(
        self,
        dataset: Any,
        collate: str,
        preprocessor: dict[str, Any],
        *,
        workers: int,
        batch: int,
        device: str,
        is_seeded: bool,
        training: bool,
    ):
        config = dict(
            batch_size=batch,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=device == 'cuda',
            dataset=dataset,
            sampler=dict(type='DefaultSampler', shuffle=training),
            collate_fn=dict(type=collate),
        )
        self.loader = Runner.build_dataloader(config, seed=0)
        self.preprocessor = MODELS.build(preprocessor).to(device)
        self.is_seeded, self.training, self.epoch = is_seeded, training, 0

    def batches(self) -> Iterator[dict[str, Any]]:
        """Batches of one pass as a model gets them."""
        if self.is_seeded:
            seed_images(self.loader, 0, self.epoch)
            self.epoch += 1
        for batch in self.loader:
            yield self.preprocessor(batch, self.training)

    def endless(self) -> Iterator[dict[str, Any]]:
        """Pass after pass."""
        while True:
            yield from self.batches()

    def go_through(self) -> None:
        """Make all batches of a pass."""
        deque(self.batches(), maxlen=0)


class Data:
    """Random images in a file that is mapped, and in memory.

    Args:
        folder: For the file.
        images: How many.
    """

    def __init__(self, folder: Path, images: int):
        rng = np.random.default_rng(0)
        self.images = rng.integers(0, 256, (images, 32, 32, 3), dtype=np.uint8)
        self.labels = rng.integers(0, CLASSES, images)
        self.file = str(folder / 'images.npz')
        np.savez(self.file, images=self.images, labels=self.labels)

    def stock(self, steps: str, images: int, **settings: Any) -> Path32:
        """MMPretrain's path."""
        pipeline = [*STEPS[steps][0], dict(type='PackInputs')]
        dataset = StockCIFAR(self.images[:images], self.labels[:images], pipeline=pipeline)
        preprocessor = dict(type='ClsDataPreprocessor', **STATISTICS)  # its images are RGB, as in MMPretrain's configs
        return Path32(dataset, 'default_collate', preprocessor, is_seeded=False, **settings)

    def whole(self, steps: str, images: int, **settings: Any) -> Path32:
        """That of whole batches."""
        dataset = dict(
            type='mmdrl.ArrayDataset',
            data_file=self.file,
            channel_order='bgr',
            indices=images,
            pipeline=[dict(type='PackInputs')],
        )
        preprocessor = dict(type='mmdrl.BatchDataPreprocessor', augments=STEPS[steps][1], to_rgb=True, **STATISTICS)
        return Path32(dataset, 'mmdrl.collate_images', preprocessor, is_seeded=True, **settings)


def compare(data: Data, steps: str, workers: int, args: argparse.Namespace) -> dict[str, Any]:
    """Images per second of both ways, and how many times as many the second has."""
    settings = dict(workers=workers, batch=args.batch, device=args.device, training=steps != 'validation')
    # Passes take turns, not batches: workers make some in advance, which would take the other's time.
    images = dict(stock=max(2, args.batches // 4) * args.batch, whole=args.batches * args.batch)
    paths = dict(
        stock=data.stock(steps, images['stock'], **settings), whole=data.whole(steps, images['whole'], **settings)
    )
    times = turns({name: path.go_through for name, path in paths.items()}, args.rounds, device=args.device)
    rates = {name: [images[name] / seconds for seconds in values] for name, values in times.items()}
    ratio = ratios(rates['whole'], rates['stock'])
    goal = GOALS.get(steps)
    return dict(
        steps=steps,
        workers=workers,
        images_per_second={name: _rounded(spread(values), 0) for name, values in rates.items()},
        ratio=_rounded(ratio, 2),
        goal=goal,
        is_met=None if goal is None else ratio['median'] >= goal,
    )


def time_step(data: Data, args: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a training step of ResNet-32 fed by the loader, and of one whose batch is there."""
    settings: dict[str, Any] = dict(batch=args.batch, device=args.device, training=True)
    source = data.whole('crop, flip, AutoAugment, Cutout', len(data.images), workers=0, **settings).endless()
    head = dict(type='LinearClsHead', num_classes=CLASSES, in_channels=64, loss=dict(type='CrossEntropyLoss'))
    neck = dict(type='GlobalAveragePooling')
    model = MODELS.build(dict(type='ImageClassifier', backbone=dict(type='mmdrl.ResNet32'), neck=neck, head=head))
    model = model.to(args.device).train()
    optimiser = OptimWrapper(torch.optim.SGD(model.parameters(), 1e-3, 0.9))
    fixed = next(source)

    def step(take: Callable[[], dict[str, Any]]) -> None:
        losses = model(**take(), mode='loss')
        optimiser.update_params(model.parse_losses(losses)[0])

    cases = dict(fixed=partial(step, lambda: fixed), loader=partial(step, partial(next, source)))
    times = turns(cases, args.steps, warm_up=2, device=args.device)
    ratio = ratios(times['loader'], times['fixed'])
    return dict(
        batch=args.batch,
        milliseconds={name: _rounded(spread([1e3 * each for each in values]), 2) for name, values in times.items()},
        ratio=_rounded(ratio, 3),
        goal=STEP_GOAL,
        is_met=ratio['median'] <= STEP_GOAL,
    )


def quick() -> dict[str, float]:
    """The ratios without workers, from few batches."""
    torch.set_num_threads(1)
    args = argparse.Namespace(batch=128, device='cpu', batches=10, rounds=3)
    with tempfile.TemporaryDirectory() as folder:
        data = Data(Path(folder), 2000)
        return {steps: compare(data, steps, 0, args)['ratio']['median'] for steps in STEPS}


def show(rows: list[dict[str, Any]], step: dict[str, Any]) -> None:
    """The table on the terminal."""
    table = Table('done to images', 'workers', 'stock, images/s', 'whole batches, images/s', 'ratio', 'goal')
    for row in rows:
        goal = '-' if row['goal'] is None else f'{row["goal"]}, {"met" if row["is_met"] else "not met"}'
        rates = [f'{row["images_per_second"][name]["median"]:,.0f}' for name in ('stock', 'whole')]
        ratio = row['ratio']
        between = f'{ratio["median"]} ({ratio["low"]} to {ratio["high"]})'
        table.add_row(row['steps'], str(row['workers']), *rates, between, goal)
    Console(width=120).print(table)
    loader, fixed = (step['milliseconds'][name]['median'] for name in ('loader', 'fixed'))
    print(
        f'A step of ResNet-32, batch {step["batch"]}: {loader} ms with the loader, {fixed} ms with a batch in memory, '
        f'ratio {step["ratio"]["median"]} (goal {STEP_GOAL}, {"met" if step["is_met"] else "not met"})'
    )


def _rounded(values: dict[str, float], digits: int) -> dict[str, float]:
    return {name: round(value, digits) for name, value in values.items()}


def parse_args() -> argparse.Namespace:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu', help='default: %(default)s')
    parser.add_argument('--quick', action='store_true', help='few batches, no workers, nothing written')
    parser.add_argument('--batch', type=int, default=128, help='images in a batch (default: %(default)s)')
    parser.add_argument('--batches', type=int, default=80, help='in a pass; the stock path has a quarter (%(default)s)')
    parser.add_argument('--rounds', type=int, default=9, help='passes of each way (default: %(default)s)')
    parser.add_argument('--steps', type=int, default=9, help='training steps of each kind (default: %(default)s)')
    parser.add_argument('--out', type=Path, help='result file (default: benchmarks/results/data_path_DEVICE.json)')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Measure, print, write."""
    if args.quick:
        for name, ratio in quick().items():
            print(f'{name}: {ratio}')
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        data = Data(Path(folder), IMAGES)
        rows = [compare(data, steps, workers, args) for steps in STEPS for workers in (0, 2)]
        step = time_step(data, args)
    show(rows, step)
    machine = describe_environment() | dict(
        device=torch.cuda.get_device_name() if args.device == 'cuda' else platform.machine()
    )
    out = args.out or ROOT / f'benchmarks/results/data_path_{args.device}.json'
    out.parent.mkdir(parents=True, exist_ok=True)
    result = dict(machine=machine, rounds=args.rounds, batch=args.batch, rows=rows, step=step)
    out.write_text(json.dumps(result, indent=1) + '\n')
    print(f'Written: {out}')


if __name__ == '__main__':
    main(parse_args())
