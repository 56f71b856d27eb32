"""One training of a plan: config, ``tools/train.py`` in a process of its own, a look at the network, the record."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmdrl.engine.results import write_json
from mmdrl.errors import DataError, MMDRLError

from .cells import at_data, cell_config, config_hash
from .devices import visible_device
from .plan import Cell, Plan
from .record import record_path, recorded_hash, write_record

ROOT = Path(__file__).parents[2]
_NOTE = 'cell.json'


class TrainingFailed(MMDRLError):
    """A training has ended without results; says its last lines."""


@dataclass(frozen=True)
class Places:
    """Where things are, and what the trainings run on.

    Attributes:
        runs: Work folders, ``runs/<plan>/<cell>``.
        out: Records, ``out/<plan>/<cell>.json``.
        data: In place of ``data`` in the configs.
        threads: Of a training on the CPU.
        with_insight: Whether to look at the trained network, too.
    """

    runs: Path
    out: Path
    data: Path
    threads: int = 1
    with_insight: bool = True


def is_recorded(plan: Plan, cell: Cell, places: Places) -> bool:
    """Whether a cell has its record.

    Raises:
        DataError: If the record is of another config.
    """
    path = record_path(places.out, plan, cell)
    found = recorded_hash(path)
    if found is None:
        return False
    if found != config_hash(cell_config(plan, cell.row, cell.seed, ROOT)):
        raise DataError(
            f'Expected {path} to be of the config as it is now, got that of another: plan or configs have changed '
            'since. Delete it to train again, or take the change back.'
        )
    return True


def train(plan: Plan, places: Places, cell: Cell, gpu: int | None, start: Callable[..., subprocess.Popen[str]]) -> bool:
    """Train a cell to its end, going on where it was, and write its record.

    Args:
        plan: That the cell is of.
        places: Where.
        cell: What to train.
        gpu: Which of the GPUs that this process sees; ``None``: the CPU.
        start: ``subprocess.Popen``, or what starts a process and can end it when time is up.

    Returns:
        Whether it has come to its end; False if it was asked to stop.

    Raises:
        TrainingFailed: If it broke off.
        DataError: If its work folder holds a run of another config.
    """
    folder = (places.runs / plan.name / cell.name).absolute()
    cfg = cell_config(plan, cell.row, cell.seed, ROOT)
    file = folder.parent / 'configs' / cell.name / f'{cell.row.name}.py'
    file.parent.mkdir(parents=True, exist_ok=True)
    found = folder / 'insight.json'
    with _alone(folder) as lock:
        _note(folder, config_hash(cfg))
        run = partial(_run, log=folder.parent / f'{cell.name}.log', places=places, gpu=gpu, start=start, lock=lock)
        if not (folder / 'results.json').is_file():
            _placed(cfg, places.data, folder).dump(str(file))
            gpus = '0' if gpu is None else '1'
            if not run([ROOT / 'tools/train.py', file, '--gpus', gpus, '--work-dir', folder, '--resume']):
                return False
        look = [ROOT / 'benchmarks/evidence/insight.py', folder, '--out', found]
        if places.with_insight and not found.is_file() and not run(look):
            return False
        insight = json.loads(found.read_text()) if found.is_file() else None
        write_record(record_path(places.out, plan, cell), plan, cell, cfg, folder, insight)
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """Nobody else trains in a work folder meanwhile, not even a process that an earlier command has left behind."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / 'lock').open('w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(
                f'Expected nobody to train in {folder}, another process does. Wait for its end, or end it.'
            ) from None
        yield lock.fileno()


def _placed(cfg: Config, data: Path, folder: Path) -> Config:
    """A copy with the paths of this machine."""
    placed = Config(cfg.to_dict(), filename=cfg.filename)
    at_data(placed, data)
    placed.work_dir = str(folder)
    return placed


def _note(folder: Path, trained: str) -> None:
    """Say in a work folder which config it is of."""
    note = folder / _NOTE
    if note.is_file():
        if json.loads(note.read_text()).get('config_hash') != trained:
            raise DataError(
                f'Expected {folder} to hold a run of the config as it is now, got that of another: plan or configs '
                'have changed since. Delete it, or give another folder with --runs.'
            )
        return
    write_json(dict(config_hash=trained), note)


def _run(
    command: list[Any],
    log: Path,
    places: Places,
    gpu: int | None,
    start: Callable[..., subprocess.Popen[str]],
    lock: int,
) -> bool:
    """Run a program of the project to its end; its lines go to the log. False if it was asked to stop."""
    paths = [str(ROOT / 'benchmarks'), os.environ.get('PYTHONPATH', '')]
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, paths))}
    environment['OMP_NUM_THREADS'] = str(places.threads)
    environment['CUDA_VISIBLE_DEVICES'] = visible_device(gpu)
    words = [sys.executable, '-W', 'ignore', *map(str, command)]
    with log.open('a', encoding='utf-8') as lines:
        process = start(words, stdout=lines, stderr=lines, env=environment, pass_fds=(lock,))
        status = process.wait()
    if getattr(process, 'asked_to_stop', False) and status != 0:
        return False
    if status != 0:
        said = log.read_text(encoding='utf-8', errors='replace')[-2500:]
        raise TrainingFailed(f'{Path(command[0]).name} ended with status {status}; all it said is in {log}.\n{said}')
    return True
