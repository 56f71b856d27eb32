"""What an iteration costs beside the model: MMEngine's loop, hooks and log alone, and with each part of mmdrl.

``python benchmarks/loop.py`` trains a model of one parameter on one number per batch, in one process, so that nothing
is left but what surrounds a step. The hooks are those of ``configs/_base_/default_runtime.py``. Every case is a runner
of its own; they take turns epoch by epoch, and the time of an iteration is that from one step to the next. Some hooks
look through the parts of the model: ``--parts`` says how many idle ones it has; a ResNet-50 has 161. Looking at the
numbers of a model, its images and gradients, takes as long as there are some, and hardly anything here: ``--parameters
161`` has as many gradients to look at as a ResNet-50.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import spread, take_device, write_result
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import Runner
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler

from mmdrl.engine.config import load_config
from mmdrl.engine.environment import describe_environment

ROOT = Path(__file__).parents[1]
RUNTIME = ROOT / 'configs/_base_/default_runtime.py'
NEVER = 10**6
GOAL = 0.1  # milliseconds per iteration that all hooks of mmdrl may add
ALL = 'all of default_runtime'


class Idle(BaseModel):
    """One parameter, parts that do nothing, maybe more parameters; notes when each of its steps begins."""

    def __init__(self, parts: int, parameters: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.more = nn.ParameterList(torch.zeros(64) for _ in range(parameters))
        self.parts = nn.ModuleList(nn.Identity() for _ in range(parts))
        self.begins: list[float] = []

    def forward(self, number: Tensor, mode: str = 'loss') -> dict[str, Tensor]:
        """A loss."""
        self.begins.append(time.perf_counter())
        return dict(loss=self.weight * number.mean() + sum(parameter.sum() for parameter in self.more))


class Numbers(Dataset[dict[str, Tensor]]):
    """As many ones as there are iterations in an epoch."""

    def __init__(self, length: int):
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, position: int) -> dict[str, Tensor]:
        return dict(number=torch.ones(()))

    def get_gt_labels(self) -> np.ndarray:
        """One class."""
        return np.zeros(self.length, dtype=np.int64)


def cases(settings: Config) -> dict[str, dict[str, Any]]:
    """Hooks, loop and log processor of each case, by what it adds to MMEngine's own."""
    hooks = settings.default_hooks.to_dict()
    hooks['checkpoint'] |= dict(interval=NEVER, save_last=False)
    own = {name: hook for name, hook in hooks.items() if hook['type'].startswith('mmdrl.')}
    host = {name: hook for name, hook in hooks.items() if name not in own}
    host['checkpoint'] = dict(type='CheckpointHook', interval=NEVER, save_last=False)
    plain = dict(hooks=host, loop='EpochBasedTrainLoop', log=dict(type='LogProcessor'))
    found: dict[str, dict[str, Any]] = {'MMEngine alone': plain}
    found['the loop'] = plain | dict(loop='mmdrl.ResumableEpochLoop')
    found['the log processor'] = plain | dict(log=settings.log_processor.to_dict())
    for name, hook in own.items():
        found[hook['type'].removeprefix('mmdrl.')] = plain | dict(hooks=host | {name: hook})
    found['all hooks'] = plain | dict(hooks=hooks)
    found[ALL] = dict(hooks=hooks, loop='mmdrl.ResumableEpochLoop', log=settings.log_processor.to_dict())
    return found


def build(name: str, case: dict[str, Any], folder: str, args: argparse.Namespace) -> Runner:
    """A runner as far as its first epoch."""
    data = Numbers(args.iterations)
    runner = Runner(
        model=Idle(args.parts, args.parameters),
        work_dir=folder,
        train_dataloader=DataLoader(data, batch_size=1, sampler=RandomSampler(data)),
        train_cfg=dict(type=case['loop'], max_epochs=NEVER),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        param_scheduler=dict(type='ConstantLR', factor=1.0),
        default_hooks=case['hooks'],
        log_processor=case['log'],
        default_scope='mmpretrain',
        log_level='ERROR',
        randomness=dict(seed=0),
        experiment_name=f'{Path(folder).name} {name}',
    )
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    runner.optim_wrapper.initialize_count_status(runner.model, 0, args.iterations * NEVER)
    runner.call_hook('before_run')
    runner.call_hook('before_train')
    return runner


def times(args: argparse.Namespace) -> dict[str, list[float]]:
    """Milliseconds of every iteration but the first of each epoch, by case."""
    settings = load_config(str(RUNTIME))
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        runners = {name: build(name, case, folder, args) for name, case in cases(settings).items()}
        for turn in range(args.rounds + 1):
            for name, runner in runners.items():
                runner.train_loop.run_epoch()
                begins: list[float] = runner.model.begins
                if turn:  # the first warms up
                    found.setdefault(name, []).extend((np.diff(begins) * 1e3).tolist())
                begins.clear()
    return found


def added(measured: dict[str, Sequence[float]]) -> list[dict[str, Any]]:
    """Of each case the spread and the mean of an iteration, and what median and mean are above MMEngine's alone."""
    rows: list[dict[str, Any]] = []
    for name, values in measured.items():
        # One pause of the machine would say more of a mean than hundreds of iterations do.
        mean = float(np.mean(np.clip(values, None, np.quantile(values, 0.99))))
        row = dict(case=name, milliseconds=spread(values), mean=mean)
        first = rows[0] if rows else row
        row['adds'] = dict(
            median=row['milliseconds']['median'] - first['milliseconds']['median'], mean=mean - first['mean']
        )
        rows.append(row)
    return rows


def quick() -> dict[str, float]:
    """How long an iteration with all of default_runtime takes, as a ratio to MMEngine's own."""
    args = parse_args(['--iterations', '60', '--rounds', '3'])
    rows = {row['case']: row for row in added(times(args))}
    return {
        'all of default_runtime / MMEngine': rows[ALL]['milliseconds']['median']
        / rows['MMEngine alone']['milliseconds']['median']
    }


def main(args: argparse.Namespace) -> None:
    """Measure, print, write."""
    take_device(args.device)
    torch.set_num_threads(1)
    rows = added(times(args))
    table = Table('', 'median, ms', 'quartiles', 'mean', 'adds: median', 'mean')
    for row in rows:
        time_of = row['milliseconds']
        cells = [time_of['median'], row['mean'], row['adds']['median'], row['adds']['mean']]
        median, mean, *adds = (f'{value:.3f}' for value in cells)
        table.add_row(row['case'], median, f'{time_of["low"]:.3f} to {time_of["high"]:.3f}', mean, *adds)
    Console(width=120).print(table)
    adds = next(row['adds'] for row in rows if row['case'] == 'all hooks')
    goal = dict(what='milliseconds that all hooks add', at_most=GOAL, found=adds, met=max(adds.values()) <= GOAL)
    shape = dict(iterations=args.iterations * args.rounds, parts=args.parts, more_parameters=args.parameters)
    shape |= dict(device=args.device)
    result = dict(machine=describe_environment(), shape=shape, rows=rows, goals=[goal])
    write_result(args.out, result)


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu', help='(default: cpu)')
    parser.add_argument('--iterations', type=int, default=50, help='of an epoch (default: %(default)s)')
    parser.add_argument('--rounds', type=int, default=30, help='epochs of each case (default: %(default)s)')
    parser.add_argument('--parts', type=int, default=161, help='idle parts of the model (default: %(default)s)')
    parser.add_argument('--parameters', type=int, default=0, help='that learn beside one (default: %(default)s)')
    parser.add_argument('--quick', action='store_true', help='fewer of all; writes nothing without --out')
    parser.add_argument('--out', type=Path, help='(default: benchmarks/results/loop_<device>.json)')
    args = parser.parse_args(arguments)
    if args.quick:
        args.iterations, args.rounds = 30, 3
    elif args.out is None:
        args.out = ROOT / f'benchmarks/results/loop_{args.device}.json'
    return args


if __name__ == '__main__':
    main(parse_args())
