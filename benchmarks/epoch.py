"""An epoch of ours against one of the authors' released code, on the same images, batches, sampler shape and network.

``python benchmarks/epoch.py --released PATH-OF-DRO-LT``. In the feature stage the released code goes over the training
set as its sampler draws it to collect features, trains, goes over the clean training set, and validates; ours trains,
with centroids summed up on the way, and validates. Released are, run as they are: ``train``, ``validate``,
``freeze_layers``, ``DROLoss``, ``ClassAwareSampler``, ``resnet32``, ``CIFAR10Policy``, ``Cutout``. Stated anew, as they
stand inside ``main_worker`` or read CIFAR: the order of these four passes, the list of transforms, optimiser and
loaders, and a data set that hands out PIL images from an array. On the CPU its calls of ``.cuda()`` do nothing, NumPy
has its ``np.int`` again, and its margins lie on the device, as today's torch wants them. Both sides have cuDNN choose
by measuring, as it does. Neither saves a checkpoint.

Images are noise; their numbers are those of CIFAR-100-LT with ``--largest`` images in the largest class, one at least
in the smallest, and a fifth of the largest per class to validate on. A GPU gets all 500, as starting workers would be
all there is of a short epoch; there the released code has its 20 workers, as far as there are cores, and so have we.

``plain`` has no augmentation on either side, and shows what the passes cost; ``augmented`` has that of each.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import ratios, spread, take_device, turns, write_result
from mmengine.runner import Runner
from released_epoch import released_code, released_epoch
from rich.console import Console
from rich.table import Table

from mmdrl.datasets.labels import dataset_labels
from mmdrl.engine.build import build_runner
from mmdrl.engine.config import load_config
from mmdrl.engine.environment import describe_environment

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / 'configs/drl_r32_cifar100-lt.py'
CLASSES = 100
NEVER = 10**6
GOALS = dict(cpu=1.3, cuda=3.0)


def our_runner(folder: Path, is_plain: bool, args: argparse.Namespace) -> Runner:
    """A runner of the shipped config as far as its first epoch, with the DR loss from the start."""
    cfg = load_config(str(CONFIG), work_dir=str(folder / ('plain' if is_plain else 'augmented')))
    cfg.default_hooks.pop('stages')
    cfg.default_hooks.checkpoint.update(interval=NEVER, save_last=False)
    cfg.default_hooks.summary.figures = False
    cfg.train_cfg = dict(type='mmdrl.ResumableEpochLoop', max_epochs=NEVER, val_interval=NEVER)
    cfg.log_level = 'ERROR'
    loader = cfg.train_dataloader
    loader.sampler = dict(
        type='mmdrl.ClassAwareSampler', num_samples=CLASSES * args.largest, samples_per_class=args.per_class
    )
    loader.batch_size = args.batch
    if is_plain:
        loader.dataset.dataset.pipeline = [dict(type='PackInputs')]
        (cfg.get('data_preprocessor') or {}).pop('augments', None)
    for each in (loader, cfg.val_dataloader):
        each.num_workers, each.persistent_workers = args.workers, args.workers > 0
    loader.dataset.imbalance_ratio = min(100, args.largest)  # one image is the least there is
    for dataset in (loader.dataset.dataset, cfg.val_dataloader.dataset):
        dataset.update(data_root=str(folder), check_numbers=False)
    runner = build_runner(cfg)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner._val_loop = runner.build_val_loop(runner._val_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    runner.optim_wrapper.initialize_count_status(runner.model, 0, NEVER * len(runner.train_dataloader))
    runner.model.init_weights()
    runner.call_hook('before_run')
    runner.call_hook('before_train')
    return runner


def our_epoch(runner: Runner) -> Callable[[], None]:
    """One epoch and a validation."""

    def epoch() -> None:
        runner.train_loop.run_epoch()
        runner.val_loop.run()

    return epoch


def write_noise(folder: Path, largest: int) -> None:
    """Random images of CIFAR's size in the form that the config reads."""
    generator = np.random.default_rng(0)
    for split, each in (('train', largest), ('test', max(largest // 5, 1))):
        images = generator.integers(0, 256, (each * CLASSES, 32, 32, 3), dtype=np.uint8)
        np.savez(folder / f'cifar{CLASSES}_{split}.npz', images=images, labels=np.arange(len(images)) % CLASSES)


def measure(
    args: argparse.Namespace, variants: tuple[str, ...], warm_up: int = 1
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Seconds of each epoch by side and variant, and how many images there are of each kind."""
    torch.set_num_threads(args.threads)
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name, released_code(args.released.resolve(), args.device) as code:
        folder = Path(name)
        write_noise(folder, args.largest)
        runners = {variant: our_runner(folder, variant == 'plain', args) for variant in variants}
        labels = dataset_labels(runners[variants[0]].train_dataloader.dataset)
        val_labels = dataset_labels(runners[variants[0]].val_dataloader.dataset)
        generator = np.random.default_rng(1)
        data = dict(labels=labels, val_labels=val_labels)
        for key, of in (('images', labels), ('val_images', val_labels)):
            data[key] = generator.integers(0, 256, (len(of), 32, 32, 3), dtype=np.uint8)
        cases: dict[str, Callable[[], Any]] = {}
        for variant in variants:
            cases[f'released, {variant}'] = released_epoch(code, data, variant == 'plain', args)
            cases[f'ours, {variant}'] = our_epoch(runners[variant])
        try:
            times = turns(cases, args.rounds, warm_up, args.device)
        except SystemExit as end:  # its way of saying that the loss is nan
            raise SystemExit('error: the released code has ended itself, as it does when its loss is nan.') from end
    drawn = CLASSES * args.largest
    return times, dict(training_set=len(labels), drawn_per_epoch=drawn, validation_set=len(val_labels))


def quick(released: Path) -> dict[str, float]:
    """How many times as long an epoch of the released code takes; 10 seconds on a CPU core."""
    args = parse_args(['--released', str(released), '--quick'])
    times, _ = measure(args, ('plain',), warm_up=0)
    return {'released / ours, without augmentation': ratios(times['released, plain'], times['ours, plain'])['median']}


def main(args: argparse.Namespace) -> None:
    """Measure, print, write."""
    take_device(args.device)
    variants = ('plain', 'augmented')
    times, shape = measure(args, variants)
    found = {variant: ratios(times[f'released, {variant}'], times[f'ours, {variant}']) for variant in variants}
    table = Table('', 'seconds', 'quartiles', 'released / ours')
    for name, values in times.items():
        seconds, variant = spread(values), name.partition(', ')[2]
        ratio = f'{found[variant]["median"]:.2f}' if name.startswith('ours') else ''
        table.add_row(name, f'{seconds["median"]:.2f}', f'{seconds["low"]:.2f} to {seconds["high"]:.2f}', ratio)
    Console(width=120).print(table)
    goals = [
        dict(
            what=f'released / ours, {name}',
            at_least=GOALS[args.device],
            found=value,
            met=value['median'] >= GOALS[args.device],
        )
        for name, value in found.items()
    ]
    shape |= dict(batch=args.batch, threads=args.threads, workers=args.workers, samples_per_class=args.per_class)
    rows = [dict(case=name, seconds=spread(values)) for name, values in times.items()]
    result = dict(machine=describe_environment(), rounds=args.rounds, shape=shape, rows=rows, goals=goals)
    write_result(args.out, result)


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--released', type=Path, required=True, metavar='PATH', help="folder of the authors' code")
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu', help='(default: cpu)')
    parser.add_argument(
        '--largest', type=int, help='images of the largest class; CIFAR has 500 (default: 12, on a GPU 500)'
    )
    parser.add_argument('--batch', type=int, default=128, help='images (default: %(default)s)')
    parser.add_argument('--per-class', type=int, default=4, help='of a class in a row (default: %(default)s)')
    parser.add_argument('--workers', type=int, help='of each loader (default: 0, on a GPU one a core, 20 at most)')
    parser.add_argument('--threads', type=int, default=1, help='of torch (default: %(default)s)')
    parser.add_argument('--rounds', type=int, default=3, help='epochs of each (default: %(default)s)')
    parser.add_argument('--quick', action='store_true', help='one short epoch of each; writes nothing without --out')
    parser.add_argument('--out', type=Path, help='(default: benchmarks/results/epoch_<device>.json)')
    args = parser.parse_args(arguments)
    is_gpu = args.device == 'cuda'
    args.largest = args.largest or (500 if is_gpu else 12)
    if args.workers is None:
        args.workers = min(os.cpu_count() or 1, 20) if is_gpu else 0
    if args.quick:
        args.largest, args.batch, args.rounds = 8, 32, 1
    if args.largest < 2 * args.per_class:
        parser.error(f'--largest must be at least {2 * args.per_class}, or the released sampler leaves classes out.')
    if args.out is None and not args.quick:
        args.out = ROOT / f'benchmarks/results/epoch_{args.device}.json'
    return args


if __name__ == '__main__':
    main(parse_args())
