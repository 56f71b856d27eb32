"""``--launcher slurm`` without Slurm: stand-ins for ``srun``, and ``scontrol``."""

import json
import os
import sys
from pathlib import Path

import pytest
from command import SHORT_DIGITS, mim

from mmdrl.errors import LaunchError
from mmdrl.launch import start

VARIABLES = ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID', 'SLURM_NODELIST')

# Takes the options that mim gives srun, and starts the tasks on this machine.
SRUN = """#!{python}
import json, os, subprocess, sys
words = iter(sys.argv[1:])
options = []
for word in words:
    if not word.startswith('-'):
        break
    options += [word, next(words)] if word == '-p' else [word]
command = [word, *words]
print('srun', json.dumps(options), flush=True)
(count,) = [int(word.partition('=')[2]) for word in options if word.startswith('--ntasks=')]
tasks = []
for task in range(count):
    told = dict(SLURM_PROCID=task, SLURM_LOCALID=task, SLURM_NTASKS=count, SLURM_NODELIST='node[1-2]')
    tasks.append(subprocess.Popen(command, env=os.environ | {{name: str(value) for name, value in told.items()}}))
sys.exit(max(task.wait() for task in tasks))
"""
SCONTROL = '#!/bin/sh\n[ "$*" = "show hostnames node[1-2]" ] && echo 127.0.0.1 && echo 127.0.0.2\n'


def put(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.mark.slow
@pytest.mark.distributed
def test_mim_trains_one_model_by_the_tasks_of_srun(tmp_path: Path) -> None:
    put(tmp_path / 'srun', SRUN.format(python=sys.executable))
    put(tmp_path / 'scontrol', SCONTROL)
    path = f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'
    # Without --srun-args openmim 0.3.9 breaks off where click is 8.2 or newer.
    slurm = [
        '--launcher',
        'slurm',
        '--gpus',
        2,
        '--gpus-per-node',
        2,
        '--partition',
        'none',
        '--srun-args=--export=ALL',
    ]
    more = ['--total-batch', 32, '--device', 'cpu', '--work-dir', 'run', '--cfg-options', *SHORT_DIGITS]
    answer = mim('train', 'mmdrl', 'drl_r8_digits-lt.py', *slurm, *more, cwd=tmp_path, PATH=path)
    assert answer.returncode == 0, answer.stdout
    assert '"--ntasks=2", "--ntasks-per-node=2"' in answer.stdout
    assert '2 x cpu' in answer.stdout
    results = json.loads((tmp_path / 'run/results.json').read_text())
    assert (results['epochs'], results['total_batch_size']) == (3, 32)


def test_without_srun_the_launcher_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(LaunchError, match=r'srun has started, and this is none: SLURM_PROCID.*--gpus N'):
        start(None, 'cpu', 'slurm')


@pytest.mark.parametrize('script', [None, '#!/bin/sh\nexit 1\n', '#!/bin/sh\n'])
def test_hosts_that_cannot_be_told_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str | None
) -> None:
    monkeypatch.delenv('MASTER_ADDR', raising=False)
    for name in VARIABLES:
        monkeypatch.setenv(name, '0')
    monkeypatch.setenv('PATH', str(tmp_path))
    if script:
        put(tmp_path / 'scontrol', script)
    with pytest.raises(LaunchError, match=r'scontrol to tell the first host of 0, .* Set MASTER_ADDR'):
        start(None, 'cpu', 'slurm')
