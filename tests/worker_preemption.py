"""Trains, is told to end by a signal, and goes on: a script that forks the processes of one run after the other.

The first argument is a JSON file with a list of runs, each a dict of the arguments of ``worker_resume.config`` and

- ``record``: name of the file that gets one JSON line per iteration;
- ``ring``: where the signal comes, see :class:`Ring`; None lets the run end;
- ``status``: exit status that all processes are to end with.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
import worker_resume
from digits_run import train
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from worker_resume import Witness, config

from mmdrl.engine.model_parts import unwrap
from mmdrl.errors import Interrupted


class EarlyWitness(Witness):
    """Writes before a run is ended."""

    priority = 'VERY_LOW'


class Ring(Hook):
    """Sends a signal to this process.

    Args:
        at: Method in which it comes: ``before_train_iter``, ``after_train_iter``, ``before_train_epoch``,
            ``after_train_epoch``, ``after_val_iter``, ``before_save_checkpoint``.
        iteration: Iterations that are done, or more, when it comes; it comes once.
        number: Of the signal.
        ranks: Processes that get it.
        times: How often.
    """

    priority = 'VERY_HIGH'

    def __init__(
        self, at: str, iteration: int, number: int = signal.SIGTERM, ranks: tuple[int, ...] = (0,), times: int = 1
    ):
        self.iteration, self.number, self.ranks, self.times = iteration, number, ranks, times
        setattr(self, at, self._ring)

    def _ring(self, runner: Any, *args: Any, **kwargs: Any) -> None:
        if self.times and runner.iter >= self.iteration and get_rank() in self.ranks:
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)
            self.times = 0


def work(rank: int, record: str, ring: dict[str, Any] | None, double: bool = False, **settings: Any) -> int:
    """What one process does; returns its exit status."""
    torch.set_default_dtype(torch.float64 if double else torch.float32)
    processes = settings.get('processes', 1)
    if processes > 1:
        store = torch.distributed.FileStore(f'{record}.store', processes)
        os.environ.update(LOCAL_RANK=str(rank), RANK=str(rank), WORLD_SIZE=str(processes))  # in this fork alone
        torch.distributed.init_process_group('gloo', store=store, rank=rank, world_size=processes)
    hooks = [EarlyWitness(Path(record)), *([] if ring is None else [Ring(**ring)])]
    try:
        runner = train(config(**settings), *hooks)
    except Interrupted as interrupt:
        return 128 + interrupt.number
    if rank == 0:
        torch.save(unwrap(runner.model).state_dict(), f'{record}.pth')
    return 0


def start(rank: int, run: dict[str, Any]) -> int:
    """Fork a process; returns its number."""
    number = os.fork()
    if number == 0:
        status = 1
        try:
            status = work(rank, **run)
        except BaseException:
            import traceback

            traceback.print_exc()
        os._exit(status)
    return number


if __name__ == '__main__':
    for name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE'):  # nobody has started this one of several
        os.environ.pop(name, None)
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.default_int_handler if kind == signal.SIGINT else signal.SIG_DFL)
    for run in json.loads(Path(sys.argv[1]).read_text()):
        expected = run.pop('status')
        numbers = [start(rank, run) for rank in range(run.get('processes', 1))]
        statuses = [os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) for number in numbers]
        assert set(statuses) == {expected}, f'{run} ended with {statuses}'
    print('all runs ended as they should', worker_resume.__name__)
