"""Trains on disks that become full: a script, to be run in a mount namespace of its own if disks are to be mounted.

The first argument is a JSON file with a list of cases, each a dict of

- ``name``: of the case, and of a folder;
- ``options``: of mount for a tmpfs; None takes an ordinary folder;
- ``limit``: bytes that no file may exceed, or None;
- ``fill``: when the disk is filled to its last byte: ``'iteration'``, ``'checkpoint'``, ``'end'``, or None;
- ``arguments``: of ``tools/train.py``.

For each, it prints one JSON line: exit status and output of the training, names of the files that it has left, the
last checkpoint, and what came of the command it named, after the disk was given room.

All processes come of this one by ``fork``, which has imported what they need.
"""

import errno
import json
import os
import resource
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import setuptools  # noqa: F401 - here once, in place of in each process, as are the digits
import sklearn.datasets  # noqa: F401
import torch
from command import ROOT
from mmengine.hooks import Hook

from mmdrl.engine import run as _  # noqa: F401
from mmdrl.engine.checkpoints import latest_checkpoint, read_checkpoint
from mmdrl.registry import HOOKS

CONFIG = """
_base_ = '{base}'
custom_imports = dict(imports=['worker_disk_full'])
custom_hooks = [dict(type='mmdrl.FillDisk', at={at!r})]
"""


@HOOKS.register_module(force=True)
class FillDisk(Hook):
    """Fills the disk of the run, so that not one page more goes onto it."""

    priority = 'ABOVE_NORMAL'

    def __init__(self, at: str):
        self.at = at

    def fill(self, runner: Any) -> None:
        with open(Path(runner.work_dir).parent / 'filler', 'ab', buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if self.at == 'iteration' and runner.iter == 12:
            self.fill(runner)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        if self.at == 'checkpoint' and checkpoint['meta']['epoch'] == 2:
            self.fill(runner)

    def after_train(self, runner: Any) -> None:
        if self.at == 'end':
            self.fill(runner)


def train(arguments: list[str], folder: Path, limit: int | None) -> tuple[int, str]:
    """Exit status and output of ``tools/train.py`` in a process of its own."""
    output = folder.with_suffix('.txt')
    number = os.fork()
    if number == 0:
        status = 1
        try:
            handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, 1)
            os.dup2(handle, 2)
            os.chdir(folder)
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            sys.argv = [str(ROOT / 'tools/train.py'), *arguments]
            sys.path.insert(0, str(ROOT / 'tools'))
            runpy.run_path(sys.argv[0], run_name='__main__')
            status = 0
        except SystemExit as end:  # what Python makes of it at the end
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    return status, output.read_text()


def last(folder: Path) -> str | None:
    """Name of the checkpoint that a run goes on from; it is read."""
    path = latest_checkpoint(str(folder))
    if path is None:
        return None
    assert (read_checkpoint(path) or {})['state_dict']
    return Path(path).name


def main(case: dict[str, Any], folder: Path) -> dict[str, Any]:
    disk = folder / case['name']
    disk.mkdir()
    if case['options']:
        subprocess.run(['mount', '-t', 'tmpfs', '-o', case['options'], 'none', disk], check=True)
    config = folder / f'{case["name"]}.py'
    config.write_text(CONFIG.format(base=ROOT / 'configs/drl_r8_digits-lt.py', at=case['fill']))
    begin = [str(config), '--gpus', '0', '--work-dir', str(disk / 'run')]
    status, output = train([*begin, *case['arguments']], disk, case['limit'])
    files = sorted(str(path.relative_to(disk)) for path in disk.rglob('*') if path.is_file())
    result = dict(case, status=status, output=output, files=files, last=last(disk / 'run'))
    if status and 'Go on with: ' in output:
        (disk / 'filler').unlink(missing_ok=True)
        if case['options']:
            subprocess.run(['mount', '-o', 'remount,size=30m,nr_inodes=10000', disk], check=True)
        config.write_text(config.read_text().replace(repr(case['fill']), 'None'))
        command = shlex.split(output.split('Go on with: ')[1].splitlines()[0])
        result['resumed'], result['resumed_output'] = train(command[2:], disk, None)
        left = sorted(str(path.relative_to(disk)) for path in disk.rglob('*') if path.is_file())
        result['files_then'] = left
    if case['options']:
        subprocess.run(['umount', '-l', disk], check=True)
    shutil.rmtree(disk, ignore_errors=True)
    return result


if __name__ == '__main__':
    torch.set_num_threads(1)
    plan = Path(sys.argv[1])
    for one in json.loads(plan.read_text()):
        print(json.dumps(main(one, plan.parent)), flush=True)
