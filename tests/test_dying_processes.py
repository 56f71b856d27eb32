"""Processes that die, stop or fail: the others end soon, and somebody says what has happened and how to go on."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from command import ROOT, heed_interrupts
from forks import Forks
from torch.distributed import TCPStore

CONFIG = ROOT / 'configs/drl_r8_digits-lt.py'
TRAIN = [sys.executable, '-W', 'ignore', str(ROOT / 'tools/train.py'), str(CONFIG), '--work-dir', 'run']
pytestmark = [pytest.mark.slow, pytest.mark.faults]


def supervised(folder: Path, script: str, count: int = 2, **environment: str) -> subprocess.Popen[str]:
    """Run a script in several processes, which write a file ``ready<rank>`` when they are."""
    (folder / 'script.py').write_text(textwrap.dedent(script))
    return subprocess.Popen(
        [sys.executable, '-W', 'ignore', '-m', 'mmdrl.supervise', str(count), 'script.py'],
        cwd=folder,
        env={**os.environ, 'MMDRL_STARTED': 'Go on so.', **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heed_interrupts,
    )


def wait_until(is_so: object, process: subprocess.Popen[str], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():  # type: ignore[operator]
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(group: int) -> list[str]:
    """Processes of a group that have not ended, half a second later."""
    time.sleep(0.5)
    listed = subprocess.run(['ps', '-eo', 'pgid=,stat=,args='], capture_output=True, text=True).stdout.splitlines()
    rows = [line.split(None, 2) for line in listed]
    return [row[2] for row in rows if row[0] == str(group) and not row[1].startswith('Z')]


@pytest.mark.distributed
def test_killed_process_is_named_last_with_its_signal_and_the_way_back(tmp_path: Path) -> None:
    script = """
        import os, signal, sys, time
        time.sleep(0.5)
        if os.environ['RANK'] == '1':
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)
    """
    process = supervised(tmp_path, script)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    last = output.splitlines()[-1]
    assert last.startswith('error: Process 1 of the run was ended from outside, by SIGKILL. ')
    assert 'memory' in last
    assert last.endswith('Go on so.')


@pytest.mark.distributed
def test_signals_are_passed_on_until_the_processes_end_in_their_own_time(tmp_path: Path) -> None:
    """The third time they are killed, as a process that hangs hears nothing."""
    script = """
        import os, pathlib, signal, time
        rank = os.environ['RANK']
        def hear(number, frame):
            if rank == '0':
                print('heard', number, flush=True)
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, hear)
        pathlib.Path('ready' + rank).touch()
        while True:
            time.sleep(0.05)
    """
    process = supervised(tmp_path, script)
    wait_until(lambda: all((tmp_path / f'ready{rank}').exists() for rank in (0, 1)), process)
    for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGTERM):
        process.send_signal(number)
        time.sleep(0.3)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 143
    assert output.split('\n') == [f'heard {signal.SIGUSR1:d}', f'heard {signal.SIGTERM:d}', '']


def said(output: str) -> list[tuple[int, float, str]]:
    """Ranks, seconds until they ended, and sentences of the processes of ``worker_gone.py`` that were left."""
    lines = [line.split(' ', 3)[1:] for line in output.splitlines() if line.startswith('said ')]
    return [(int(rank), float(seconds), words) for rank, seconds, words in lines]


@pytest.mark.distributed
@pytest.mark.parametrize(('how', 'count'), [('killed', 4), ('stopped', 2), ('refuses', 2)])
def test_others_end_when_a_process_goes(forks: Forks, tmp_path: Path, how: str, count: int) -> None:
    """In the middle of an epoch; one that stopped is waited for as long as the config says, here 4 seconds."""
    output = forks.start(count, 'worker_gone.py', how, tmp_path / 'of', cwd=tmp_path)[1]
    left = said(output)
    assert len(left) == (count if how == 'refuses' else count - 1), output
    for rank, seconds, words in left:
        assert seconds < 30
        assert 'the last checkpoint is iter_12.pth' in words
        if how == 'refuses' and rank == 1:
            assert words.startswith('This process has no data any more.')
        elif how == 'stopped':
            assert 'has not answered in time' in words
            assert 'env_cfg.dist_cfg.timeout' in words
        else:
            assert words.startswith('Another process of the run has gone')


@pytest.mark.distributed
def test_process_that_fails_alone_says_so_at_once(forks: Forks, tmp_path: Path) -> None:
    """The one that fails speaks, the other keeps quiet; both end with status 1."""
    store = TCPStore('127.0.0.1', 0, is_master=True, wait_for_workers=False)
    began = time.monotonic()
    statuses, output = forks.start(2, 'worker_alone.py', store.port, cwd=tmp_path)
    assert statuses == [1, 1], output
    assert output.splitlines()[-1] == 'error: Alone.', output
    assert output.count('error: ') == 1
    assert time.monotonic() - began < 60


@pytest.mark.distributed
def test_run_of_two_processes_is_ended_and_goes_on(tmp_path: Path) -> None:
    """By SIGUSR1 to what ``--gpus 2`` has started, then by SIGTERM to all, loader workers too, as a job system does."""
    workers = ['train_dataloader.num_workers=1', 'train_dataloader.persistent_workers=True']
    options = ['--gpus', '2', '--device', 'cpu', '--cfg-options', *workers]
    epochs = []
    for number, resume in ((signal.SIGUSR1, []), (signal.SIGTERM, ['--resume'])):
        log = tmp_path / f'{number}.log'
        with log.open('w') as file:
            command = [*TRAIN, *options, *resume]
            process = subprocess.Popen(command, cwd=tmp_path, stdout=file, stderr=file, start_new_session=True)
        wait_until(lambda log=log: log.read_text().count('Epoch(train)') == 2, process)
        (os.kill if not resume else os.killpg)(process.pid, number)
        assert process.wait(60) == 128 + number, log.read_text()
        lines = log.read_text().splitlines()
        assert lines[-1].startswith(f'Stopped by {number.name}. It was in epoch ')
        assert lines[-1].endswith('--resume')
        assert sum('Stopped' in line for line in lines) == 1
        assert not alive(process.pid)
        epochs += [int(found) for found in re.findall(r'Epoch\(train\) +\[(\d+)\]', log.read_text())]
    assert epochs == list(range(1, len(epochs) + 1))
    assert len(epochs) >= 4


def test_killed_loader_worker_ends_the_run_with_a_sentence(forks: Forks, tmp_path: Path) -> None:
    """No worker outlives it."""
    statuses, output = forks.start(1, 'worker_gone.py', 'worker', tmp_path, cwd=tmp_path)
    assert statuses == [0], output
    ((_, _, words),) = said(output)
    # Of what has ended it torch does not always hear.
    assert re.match(r'A worker of a data loader (was ended from outside \(Killed\)|has ended unexpectedly)\. ', words)
    assert 'num_workers' in words
    assert words.endswith('--resume')
    assert not alive(json.loads((tmp_path / 'went').read_text())[1])


def test_nothing_is_left_of_a_run_whose_process_is_killed(forks: Forks, tmp_path: Path) -> None:
    """Workers that have just been forked included, as every epoch starts them anew."""
    statuses, output = forks.start(1, 'worker_gone.py', 'all', tmp_path, cwd=tmp_path)
    assert statuses == [-signal.SIGKILL], output
    assert not alive(json.loads((tmp_path / 'went').read_text())[1])


@pytest.mark.distributed
def test_processes_that_torchrun_starts_anew_meet_each_other(forks: Forks, tmp_path: Path) -> None:
    """And not those of before, whose addresses are still in its store."""
    store = TCPStore('127.0.0.1', 0, is_master=True, wait_for_workers=False)
    for count in (0, 1):
        statuses, output = forks.start(2, 'worker_anew.py', store.port, count, cwd=tmp_path)
        assert statuses == [0, 0], output
        assert output.count('met 2') == 2
