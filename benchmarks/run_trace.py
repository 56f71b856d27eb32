"""Where the steps of a training go: data, preprocessing, forward, backward, optimiser, each hook, the rest of the loop.

``python benchmarks/run_trace.py CONFIG [--steps 20]`` trains by a config in one process, with its own loader, and takes
the time of every part by a clock around it; a part that calls another is not charged for it. On a GPU every clock waits
for the device, so the sum is more than an undisturbed step takes. Workers of a loader run beside the step: ``data`` is
what the step waits for them. ``--noise`` stands in for images that are not there, by random ones of CIFAR's size.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import spread, take_device, write_result
from mmengine.config import Config
from mmengine.runner import Runner
from rich.console import Console
from rich.table import Table
from torch.utils.data.dataloader import _BaseDataLoaderIter

from mmdrl.engine.build import build_runner, start
from mmdrl.engine.config import load_config
from mmdrl.engine.environment import describe_environment

ROOT = Path(__file__).parents[1]
REST = 'loop, seeds, the rest'


class Clock:
    """Seconds by part and step, of calls that may lie inside each other.

    Args:
        device: ``'cuda'`` waits for the device whenever a part begins or ends.
    """

    def __init__(self, device: str):
        self.steps: list[dict[str, float]] = []
        self._inside: list[str] = [REST]
        self._since = time.perf_counter()
        self._device = device
        self._now: dict[str, float] = defaultdict(float)

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose time goes to a part."""

        def call(*args: Any, **settings: Any) -> Any:
            self._turn()
            self._inside.append(name)
            try:
                return function(*args, **settings)
            finally:
                self._turn()
                self._inside.pop()

        return call

    def end_step(self) -> None:
        """A step is over, the next begins."""
        self._turn()
        self.steps.append(dict(self._now))
        self._now.clear()

    def _turn(self) -> None:
        if self._device == 'cuda':
            torch.cuda.synchronize()
        now = time.perf_counter()
        self._now[self._inside[-1]] += now - self._since
        self._since = now


class _Enough(Exception):
    """All steps that were asked for are done."""


def watch(runner: Runner, clock: Clock, steps: int) -> None:
    """Put the clock around the parts of a runner; it ends by ``_Enough``."""
    call_each, forward = runner.call_hook, runner.model.forward
    model: Any = runner.model

    def call_hook(name: str, **settings: Any) -> None:
        if name not in ('before_train_iter', 'after_train_iter'):
            clock.timed('hooks between epochs', call_each)(name, **settings)
            if name == 'before_train':
                optimiser: Any = runner.optim_wrapper
                optimiser.backward = clock.timed('backward', optimiser.backward)
                optimiser.step = clock.timed('optimiser', optimiser.step)
                optimiser.zero_grad = clock.timed('optimiser', optimiser.zero_grad)
            return
        for hook in runner.hooks:
            clock.timed(type(hook).__name__, getattr(hook, name))(runner, **settings)
        if name == 'after_train_iter':
            clock.end_step()
            if len(clock.steps) >= steps:
                raise _Enough

    runner.call_hook = call_hook  # type: ignore[method-assign]
    model.data_preprocessor.forward = clock.timed('preprocess', model.data_preprocessor.forward)
    model.forward = clock.timed('forward', forward)
    if hasattr(model, 'head'):
        model.head.loss = clock.timed('forward of the head', model.head.loss)


def trace(cfg: Config, steps: int, warm_up: int, device: str) -> list[dict[str, float]]:
    """Seconds of each step, by part."""
    taking = _BaseDataLoaderIter.__next__
    clock = Clock(device)
    _BaseDataLoaderIter.__next__ = clock.timed('data', taking)  # type: ignore[method-assign]
    try:
        runner = build_runner(cfg)
        watch(runner, clock, steps + warm_up)
        start(runner.train, runner)
    except _Enough:
        pass
    finally:
        _BaseDataLoaderIter.__next__ = taking  # type: ignore[method-assign]
    return clock.steps[warm_up:]


def settings(args: argparse.Namespace, folder: str) -> Config:
    """The config; with ``--noise`` its data are random images, as many as the set has in each class."""
    options = ['default_hooks.logger.interval=10', *args.cfg_options]
    if args.noise:
        write_noise(Path(folder), 100 if 'cifar100' in Path(args.config).stem else 10)
        for name in ('train_dataloader.dataset.dataset', 'val_dataloader.dataset'):
            options += [f'{name}.data_root={folder}', f'{name}.check_numbers=False']
    return load_config(args.config, options, f'{folder}/run')


def write_noise(folder: Path, classes: int) -> None:
    """Random images of CIFAR's size, 100 of each class to train on and 10 to validate on."""
    generator = np.random.default_rng(0)
    for split, number in (('train', 100), ('test', 10)):
        images = generator.integers(0, 256, (number * classes, 32, 32, 3), dtype=np.uint8)
        np.savez(folder / f'cifar{classes}_{split}.npz', images=images, labels=np.arange(len(images)) % classes)


def summary(steps: list[dict[str, float]]) -> list[dict[str, Any]]:
    """Milliseconds of each part with their spread, and its share, the largest first."""
    total = sum(sum(step.values()) for step in steps)
    rows = [
        dict(
            part=name,
            milliseconds={key: value * 1e3 for key, value in spread([step.get(name, 0.0) for step in steps]).items()},
            share=sum(step.get(name, 0.0) for step in steps) / total,
        )
        for name in {name for step in steps for name in step}
    ]
    return sorted(rows, key=lambda row: -row['share'])


def main(args: argparse.Namespace) -> None:
    """Measure, print, write."""
    take_device(args.device)
    with tempfile.TemporaryDirectory() as folder:
        steps = trace(settings(args, folder), args.steps, args.warm_up, args.device)
    rows = summary(steps)
    whole = spread([sum(step.values()) * 1e3 for step in steps])
    table = Table('', 'median, ms', 'quartiles', 'of all')
    for row in rows:
        part = row['milliseconds']
        share = f'{row["share"]:.1%}'
        table.add_row(row['part'], f'{part["median"]:.3f}', f'{part["low"]:.3f} to {part["high"]:.3f}', share)
    table.add_row('a step', f'{whole["median"]:.3f}', f'{whole["low"]:.3f} to {whole["high"]:.3f}', '')
    Console(width=120).print(table)
    if args.out is not None:
        about = dict(config=args.config, steps=args.steps, noise=args.noise, cfg_options=args.cfg_options)
        result = dict(machine=describe_environment(), **about, step_milliseconds=whole, rows=rows)
        write_result(args.out, result)


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'config', nargs='?', default=str(ROOT / 'configs/drl_r8_digits-lt.py'), help='(default: digits)'
    )
    parser.add_argument('--steps', type=int, default=20, help='to take the time of (default: %(default)s)')
    parser.add_argument('--warm-up', type=int, default=5, help='steps before them (default: %(default)s)')
    parser.add_argument('--noise', action='store_true', help='random images in place of the CIFAR of the config')
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu', help='(default: cpu)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override the config')
    parser.add_argument('--out', type=Path, help='also write a file')
    return parser.parse_args(arguments)


if __name__ == '__main__':
    main(parse_args())
