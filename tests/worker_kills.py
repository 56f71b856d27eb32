"""Trains, saves after every iteration, and is killed by the clock or in the middle of writing; a script.

Its arguments: a folder, the type of the checkpoint hook, and a JSON list of kills. A kill is a number, the seconds
after which SIGKILL comes, counted from the beginning of the training, or ``"writing"``: as soon as part of a checkpoint
has been written. It prints one JSON line per kill with what is then there: ``last``, the iteration of the last
checkpoint or what is wrong with it, ``sum``, a hash of what it holds, and ``is_written``, whether a checkpoint was
being written.

All processes come of this one by ``fork``, which has imported what they need.
"""

import contextlib
import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch
from digits_run import train
from mmengine.config import Config
from mmengine.hooks import Hook
from torch import Tensor
from worker_resume import config

from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.model_parts import unwrap
from mmdrl.errors import DataError

BALLAST = 1_000_000  # numbers of float32, so that writing takes most of the time


class Load(Hook):
    """Gives the model a large buffer that holds the number of the iteration everywhere, and may note what is saved."""

    priority = 'ABOVE_NORMAL'

    def __init__(self, begun: Path, sums: Path | None = None):
        self.begun = begun
        self.sums = sums

    def before_run(self, runner: Any) -> None:
        unwrap(runner.model).register_buffer('ballast', torch.zeros(BALLAST))

    def before_train_epoch(self, runner: Any) -> None:
        self.begun.touch()

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        unwrap(runner.model).ballast.fill_(runner.iter + 1)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        if self.sums is not None:
            with self.sums.open('a') as file:
                file.write(f'{checkpoint["meta"]["iter"]} {content_sum(checkpoint)}\n')


def content_sum(checkpoint: dict[str, Any]) -> str:
    """Hash of weights, buffers, optimiser state and schedule."""
    digest = hashlib.sha256()

    def take(value: Any) -> None:
        if isinstance(value, Tensor):
            digest.update(value.contiguous().numpy().tobytes())
        elif isinstance(value, dict):
            for key, entry in value.items():
                digest.update(str(key).encode())
                take(entry)
        elif isinstance(value, (list, tuple)):
            for entry in value:
                take(entry)
        else:
            digest.update(repr(value).encode())

    take([checkpoint[part] for part in ('state_dict', 'optimizer', 'param_schedulers')])
    return digest.hexdigest()


def begin(folder: Path, kind: str, resume: bool, iterations: int = 10_000, sums: Path | None = None) -> int:
    """Fork a training; returns the number of the process."""
    number = os.fork()
    if number == 0:
        os.setpgrp()
        saving = dict(type=kind, by_epoch=False, interval=1, max_keep_ckpts=1)
        cfg = config(str(folder), 'iter', iterations=iterations, resume=resume)
        cfg.default_hooks.checkpoint, cfg.param_scheduler = saving, dict(type='PolyLR', end=10_000, by_epoch=False)
        cfg.train_cfg.val_interval = 10_000
        try:
            train(cfg, Load(folder.with_suffix('.begun'), sums))
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return number


def wait_until(is_time: Any, number: int) -> None:
    """Look again and again; raises if the process ends meanwhile."""
    while not is_time():
        if os.waitpid(number, os.WNOHANG)[0]:
            sys.exit('the training has ended by itself')


def half_written(folder: Path) -> bool:
    """Whether a file is there that will be a checkpoint and is not all of it."""
    with contextlib.suppress(OSError):  # files come and go
        return any(
            0 < path.stat().st_size < 4 * BALLAST
            for pattern in ('iter_*.pth', '.iter_*.pth.part')
            for path in folder.glob(pattern)
        )
    return False


def last_content(folder: Path) -> dict[str, Any]:
    """What the last checkpoint of a run holds, by what MMEngine looks at."""
    try:
        checkpoint = read_checkpoint((folder / 'last_checkpoint').read_text()) or {}
    except (OSError, DataError) as error:
        return dict(last=str(error), sum=None)
    iteration = checkpoint['meta']['iter']
    is_right = bool((checkpoint['state_dict']['ballast'] == iteration).all())
    return dict(last=iteration if is_right else 'other content', sum=content_sum(checkpoint))


def main(folder: Path, kind: str, kills: list[Any]) -> None:
    for turn, kill in enumerate(kills):
        begun = folder.with_suffix('.begun')
        begun.unlink(missing_ok=True)
        number = begin(folder, kind, resume=turn > 0)
        wait_until(begun.exists, number)
        start, had = time.monotonic(), set(folder.glob('iter_*.pth'))
        if kill == 'writing':
            wait_until(lambda had=had: set(folder.glob('iter_*.pth')) - had, number)  # it has saved once
            wait_until(lambda: half_written(folder), number)
        else:
            time.sleep(max(start + kill - time.monotonic(), 0))
        os.killpg(number, signal.SIGKILL)
        os.waitpid(number, 0)
        left = sorted(path.name for path in folder.iterdir() if path.is_file())
        is_written = half_written(folder) or any(name.endswith('.part') for name in left)
        entry = dict(kill=kill, is_written=is_written, files=left, **last_content(folder))
        print(json.dumps(entry), flush=True)
        if not isinstance(entry['last'], int):
            return
    whole = folder.with_name('whole')
    sums = whole.with_suffix('.sums')
    number = begin(whole, kind, resume=False, iterations=int(entry['last']), sums=sums)
    assert os.waitpid(number, 0)[1] == 0
    print(json.dumps(dict(line.split() for line in sums.read_text().splitlines())))


if __name__ == '__main__':
    torch.set_num_threads(1)
    Config.pretty_text = property(lambda self: str(self.to_dict()))
    main(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]))
