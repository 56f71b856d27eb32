"""Trains while its processes are killed again and again, and compares what is left with a training that nobody killed.

``python benchmarks/soak.py --cycles 50`` starts ``tools/train.py --resume`` on the digits, with loader workers and
checkpoints inside epochs, and ends all its processes at a moment drawn by chance: by SIGKILL, or by SIGTERM as a queue
does. A training that has reached its end is compared, and another begun. One process must come to the same weights,
batch statistics, centroids, sums, states of the optimiser, losses, predictions and results bit for bit; two processes,
of which a checkpoint inside an epoch holds the common mean, come to the same but for rounding, and it is measured how
far apart. A line per cycle is printed; ends with status 1 if anything that must be equal is not.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from soak_outcome import Outcome, compare, last_iteration, logged_losses, read_outcome

from mmdrl.engine.checkpoints import latest_checkpoint, read_checkpoint
from mmdrl.engine.environment import describe_environment

ROOT = Path(__file__).parents[1]
CONFIG = """
_base_ = '{base}'
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval={interval}, max_keep_ckpts=2),
    logger=dict(interval=1),
    summary=dict(figures=False),
)
train_dataloader = dict(num_workers={workers}, persistent_workers=True)
"""
BEGUN = '*/vis_data/scalars.json'
PATIENCE = 600  # seconds that a training may take for whatever it does
EARLY = 0.1  # share of the kills that may come while a training is still being set up


class Training:
    """Real processes that train in a folder.

    Args:
        command: To start them.
        folder: Work folder.
    """

    def __init__(self, command: list[str], folder: Path):
        self.folder = folder
        self._before = set(folder.glob(BEGUN))
        self.output = folder.with_suffix('.txt')
        environment = {'OMP_NUM_THREADS': '1', **os.environ, 'CUDA_VISIBLE_DEVICES': ''}
        with self.output.open('a') as output:
            self.process = subprocess.Popen(
                [*command, '--work-dir', str(folder), '--resume'],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    def wait_until_it_trains(self) -> None:
        """Until the first iteration has been logged, or it has ended."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None and set(self.folder.glob(BEGUN)) == self._before:
            if time.monotonic() > end:
                self.end(signal.SIGKILL)
                raise RuntimeError(f'A training has not begun within {PATIENCE} s.')
            time.sleep(0.02)

    def ended_within(self, seconds: float) -> bool:
        """Whether it ends by itself so soon."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        if status != 0:
            raise RuntimeError(f'A training has failed.\n{self.output.read_text()[-3000:]}')
        return True

    def end(self, by: signal.Signals) -> float:
        """Send a signal to all its processes; returns the seconds until the first of them was gone."""
        begin = time.monotonic()
        os.killpg(self.process.pid, by)
        try:
            self.process.wait(PATIENCE)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
        return time.monotonic() - begin


def soak(
    command: list[str], folder: Path, signals: list[signal.Signals], whole: Outcome, longest: float, draw: random.Random
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of all cycles, and how each training that came to its end differs from the whole one."""
    rows: list[dict[str, Any]] = []
    ended: list[dict[str, Any]] = []
    run = folder / 'run-1'
    while True:
        resumed = last_iteration(run)
        training = Training(command, run)
        is_last = len(rows) == len(signals)
        is_early = draw.random() < EARLY
        if not is_early:
            training.wait_until_it_trains()
        if training.ended_within(PATIENCE if is_last else draw.uniform(0, longest)):
            cycles = sum(row['run'] == run.name for row in rows)
            ended.append(dict(run=run.name, cycles=cycles, **compare(read_outcome(run), whole)))
            print(f'{run.name} ended after {cycles} kills: {ended[-1]["differs"] or "all equal"}', flush=True)
            if is_last:
                return rows, ended
            shutil.rmtree(run)
            run = folder / f'run-{len(ended) + 1}'
            continue
        if is_last:
            raise RuntimeError(f'A training has not ended within {PATIENCE} s.')
        by = signals[len(rows)]
        seconds = training.end(by)
        rows.append(after_kill(run, by, resumed) | dict(status=training.process.returncode, seconds=round(seconds, 2)))
        print(f'{len(rows)} of {len(signals)}: {json.dumps(rows[-1])}', flush=True)


def after_kill(run: Path, by: signal.Signals, resumed: int) -> dict[str, Any]:
    """What a kill has left, read as the next start will; a checkpoint that is not whole raises."""
    is_written = any(run.glob('.*.part'))
    saved = latest_checkpoint(str(run)) if (run / 'last_checkpoint').is_file() else None
    iteration = 0 if saved is None else int((read_checkpoint(saved) or {})['meta']['iter'])
    done = max(logged_losses(run, last=True), default=resumed)
    return dict(
        run=run.name,
        signal=by.name,
        from_iteration=resumed,
        at_iteration=done,
        checkpoint=iteration,
        lost=max(done - iteration, 0),
        while_writing=is_written,
    )


def total(rows: list[dict[str, Any]], ended: list[dict[str, Any]], whole: Outcome) -> dict[str, Any]:
    """Sums over the cycles of one kind."""
    lost = [row['lost'] for row in rows]
    names = sorted({row['signal'] for row in rows})
    return dict(
        cycles=len(rows),
        by_signal={name: sum(row['signal'] == name for row in rows) for name in names},
        lost_iterations={
            name: dict(
                mean=round(sum(found) / len(found), 1),
                most=max(found),
            )
            for name in names
            for found in [[row['lost'] for row in rows if row['signal'] == name]]
        },
        before_first_checkpoint=sum(row['checkpoint'] == 0 for row in rows),
        while_writing=sum(row['while_writing'] for row in rows),
        iterations_of_a_run=len(whole.losses),
        iterations_repeated=sum(lost),
        runs_ended=len(ended),
        differing=sorted({name for run in ended for name in run['differs']}),
        largest_deviation=max((run['deviation'] for run in ended), default=None),
        runs=ended,
    )


def main(args: argparse.Namespace) -> None:
    """Soak, write, print."""
    begin, draw = time.monotonic(), random.Random(args.seed)
    signals = [signal.SIGTERM if draw.random() < args.sigterm else signal.SIGKILL for _ in range(args.cycles)]
    plan = {1: signals[: args.cycles - args.two], 2: signals[args.cycles - args.two :]}
    found: dict[str, Any] = {}
    all_rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix='soak-') as name:
        config = Path(name) / 'soak.py'
        config.write_text(
            CONFIG.format(base=ROOT / 'configs/drl_r8_digits-lt.py', interval=args.interval, workers=args.workers)
        )
        for processes, wanted in plan.items():
            if not wanted:
                continue
            folder = Path(name) / f'{processes}'
            folder.mkdir()
            where = ['--gpus', '0'] if processes == 1 else ['--gpus', str(processes), '--device', 'cpu']
            command = [sys.executable, '-W', 'ignore', str(ROOT / 'tools/train.py'), str(config), *where]
            command += ['--cfg-options', *args.cfg_options] if args.cfg_options else []
            unbroken = Training(command, folder / 'whole')
            if not unbroken.ended_within(PATIENCE):
                unbroken.end(signal.SIGKILL)
                raise RuntimeError(f'The training that nobody kills has not ended within {PATIENCE} s.')
            whole = read_outcome(folder / 'whole')
            rows, ended = soak(command, folder, wanted, whole, args.longest, draw)
            found['one_process' if processes == 1 else 'two_processes'] = total(rows, ended, whole)
            all_rows += [dict(processes=processes, **row) for row in rows]
    settings = {key: value for key, value in vars(args).items() if key != 'out'}
    machine = describe_environment(ROOT / 'configs/drl_r8_digits-lt.py')
    content = dict(
        machine=machine, settings=settings, **found, seconds=round(time.monotonic() - begin), cycles=all_rows
    )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    aside = args.out.with_name(f'{args.out.name}.tmp')
    aside.write_text(json.dumps(content, indent=1) + '\n')
    aside.replace(args.out)
    show(found)
    print(f'Written: {args.out}')
    if found.get('one_process', {}).get('differing'):
        sys.exit(f'error: one process came to other {", ".join(found["one_process"]["differing"])}.')


def show(found: dict[str, Any]) -> None:
    """A table, a column for each number of processes."""
    table = Table('', *(name.replace('_', ' ') for name in found))
    for key in next(iter(found.values())):
        if key != 'runs':
            cells = [re.sub('[{}"]', '', json.dumps(column[key])) for column in found.values()]
            table.add_row(key.replace('_', ' '), *cells)
    Console().print(table)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--cycles', type=int, default=50, help='kills (default: 50)')
    parser.add_argument('--two', type=int, help='how many of them with two processes (default: a fifth)')
    parser.add_argument('--sigterm', type=float, default=0.25, help='share of SIGTERM (default: 0.25)')
    parser.add_argument('--longest', type=float, default=6.0, help='seconds it may train at most (default: 6)')
    parser.add_argument('--interval', type=int, default=15, help='iterations between checkpoints (default: 15)')
    parser.add_argument('--workers', type=int, default=2, help='loader workers of a process (default: 2)')
    parser.add_argument('--seed', type=int, default=0, help='of signals and moments (default: 0)')
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE', help='override settings of the config')
    parser.add_argument('--out', type=Path, default=ROOT / 'benchmarks/results/soak.json', help='file to write')
    args = parser.parse_args()
    if args.cycles < 1:
        parser.error(f'--cycles must be at least 1, got {args.cycles}.')
    args.two = args.cycles // 5 if args.two is None else args.two
    if not 0 <= args.two <= args.cycles:
        parser.error(f'--two must lie between 0 and --cycles, got {args.two}.')
    return args


if __name__ == '__main__':
    try:
        main(parse_args())
    except RuntimeError as error:
        sys.exit(f'error: {error}')
