"""Several trainings at a time: order, time limit, failures, records. The trainings themselves are stand-ins here."""

import json
import signal
import subprocess
import sys
import time

import pytest
from command import ROOT

from mmdrl.errors import ConfigError, DataError

sys.path.append(str(ROOT / 'benchmarks'))
from evidence import devices, running
from evidence.plan import Cell, Row
from evidence.record import best_epoch, recorded_hash, train_curve
from evidence.training import _alone, _note

CELLS = [Cell(Row(f'row-{number}', 'none.py'), 0) for number in range(5)]


def sleeper(seconds: float, on_stop: str = 'sys.exit(143)'):
    """A stand-in for a training: sleeps, and ends with a status of its own when it is asked to stop."""
    script = f'import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: {on_stop})\ntime.sleep({seconds})'

    def train(cell, place, start):
        process = start([sys.executable, '-S', '-c', script])
        return process.wait() == 0

    return train


def test_all_cells_are_trained_in_order_and_never_more_at_a_time_than_places():
    now, most, begun = [], [], []

    def train(cell, place, start):
        begun.append(cell.name)
        now.append(place)
        most.append(sorted(now))
        time.sleep(0.02)
        now.remove(place)
        return True

    outcome = running.run_cells(CELLS, train, [0, 1], None, lambda line: None)
    assert begun == [cell.name for cell in CELLS]
    assert sorted(cell.name for cell in outcome.done) == begun
    assert max(map(len, most)) == 2
    assert all(len(set(places)) == len(places) for places in most)  # no place twice


def test_time_limit_asks_what_runs_and_begins_nothing_more():
    said = []
    began = time.monotonic()
    outcome = running.run_cells(CELLS, sleeper(60), [None, None], 1 / 60, said.append)
    assert time.monotonic() - began < 20
    assert not outcome.done
    assert not outcome.failed
    assert {cell.name for cell in outcome.stopped} == {cell.name for cell in CELLS}
    assert sum('begun' in line for line in said) == 2


def test_one_that_fails_leaves_the_others_alone():
    def train(cell, place, start):
        if cell is CELLS[1]:
            raise DataError('Its images are gone.')
        if cell is CELLS[3]:
            raise OSError('No space left on device')
        return True

    said = []
    outcome = running.run_cells(CELLS, train, [None], None, said.append)
    assert len(outcome.done) == 3
    assert list(outcome.failed) == ['row-1_0', 'row-3_0']
    assert 'row-1_0: Its images are gone.' in said
    assert any(line.startswith('row-3_0: ') and 'OSError: No space left on device' in line for line in said)


def test_one_that_does_not_stop_is_killed(monkeypatch):
    monkeypatch.setattr(running, 'GRACE', 0.5)
    began = time.monotonic()
    outcome = running.run_cells(CELLS[:1], sleeper(60, 'None'), [None], 1 / 60, lambda line: None)
    assert time.monotonic() - began < 20
    assert outcome.stopped == CELLS[:1]


def test_helpers_of_a_training_live_while_it_saves():
    """A step that is being compiled, say, is done by processes of torch."""
    script = """
import signal, subprocess, sys, time
helper = subprocess.Popen(['sleep', '60'])
def save(*_):
    time.sleep(0.3)
    lives = helper.poll() is None
    helper.kill()
    sys.exit(7 if lives else 8)
signal.signal(signal.SIGTERM, save)
print(flush=True)
time.sleep(60)
"""
    processes = running.Processes()
    process = processes.start([sys.executable, '-S', '-c', script], stdout=subprocess.PIPE)
    with process:
        assert process.stdout.readline()
        processes.stop()
        assert process.wait() == 7


@pytest.mark.parametrize(('number', 'status'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_ask_what_runs_to_stop_before_the_command_ends(number, status):
    script = f"""
import sys
sys.path[:0] = [{str(ROOT / 'benchmarks')!r}, {str(ROOT / 'tests')!r}]
import signal
from argparse import Namespace
signal.signal(signal.SIGINT, signal.default_int_handler)
import accuracy
from test_accuracy_running import CELLS, running, sleeper
train = sleeper(60, 'print("saved", flush=True) or sys.exit(1)')
accuracy.train = lambda args: running.run_cells(CELLS, train, [None], None, print)
accuracy.main(Namespace(report=False))
"""
    with subprocess.Popen(
        [sys.executable, '-W', 'ignore', '-u', '-c', script], stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert 'begun' in run.stdout.readline()
        time.sleep(0.5)
        run.send_signal(number)
        said = run.communicate(timeout=30)[0]
    assert 'saved' in said
    assert run.returncode == status


def test_places_follow_cores_and_free_memory(monkeypatch):
    monkeypatch.setattr(devices, '_cores', lambda: 8)
    monkeypatch.setattr(devices, '_free_memory', lambda: [10.0, 5.0])
    assert devices.places_for('cpu', None, 2, 3) == [None] * 4
    assert devices.places_for('cuda', None, 1, 3) == [0, 1, 0, 0]  # 3 fit into the first, 1 into the second
    assert devices.places_for('auto', 3, 1, 3) == [0, 1, 0]
    assert devices.places_for('cuda', None, 4, 1) == [0, 1]  # cores for two
    assert devices.places_for('cuda', 2, 1, 6) == [0, 0]  # the second has no room
    assert devices.places_for('cuda', 3, 1, 20) == [0, 1, 0]  # as asked, though none has
    with pytest.raises(ConfigError, match=r'12 GiB free on a GPU, got 10.0'):
        devices.places_for('cuda', None, 1, 12)
    monkeypatch.setattr(devices, '_free_memory', list)
    assert devices.places_for('auto', None, 1, 3) == [None] * 8
    with pytest.raises(ConfigError, match=r'a GPU for --device cuda'):
        devices.places_for('cuda', None, 1, 3)


@pytest.mark.parametrize(
    ('seen', 'gpu', 'given'),
    [(None, 1, '1'), ('2,3', 0, '2'), ('2, GPU-5f', 1, 'GPU-5f'), ('2,3', None, ''), (None, None, '')],
)
def test_training_is_given_one_of_the_gpus_that_the_command_was_given(monkeypatch, seen, gpu, given):
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    if seen is not None:
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', seen)
    assert devices.visible_device(gpu) == given


def test_work_folder_is_of_one_config_and_of_one_process_at_a_time(tmp_path):
    folder = tmp_path / 'runs' / 'ce_0'
    folder.mkdir(parents=True)
    _note(folder, 'a')
    _note(folder, 'a')
    with pytest.raises(DataError, match=r'ce_0 to hold a run of the config as it is now, got that of another'):
        _note(folder, 'b')
    with _alone(folder) as lock:
        left = subprocess.Popen(['sleep', '60'], pass_fds=(lock,))  # what a killed command leaves behind
    try:
        with pytest.raises(DataError, match=r'nobody to train in .*ce_0, another process does'), _alone(folder):
            pass
    finally:
        left.kill()
        left.wait()
    with _alone(folder):
        pass


def test_record_that_is_none_is_told(tmp_path):
    path = tmp_path / 'ce_0.json'
    assert recorded_hash(path) is None
    path.write_text('{"row": "ce"}')
    with pytest.raises(DataError, match=r'the record of a training in .*ce_0.json'):
        recorded_hash(path)
    path.write_text(json.dumps(dict(config_hash='1f')))
    assert recorded_hash(path) == '1f'


def test_curves_have_the_last_losses_of_each_epoch_and_the_best_validation_is_the_first_of_equals():
    log = [
        dict(epoch=1, iter=10, loss=3.0, loss_cls=2.0, loss_dr=1.0, lr=0.1),
        dict(epoch=1, iter=20, loss=2.0, loss_cls=1.5, loss_dr=0.5, lr=0.1),
        {'epoch': 1, 'iter': 20, 'radius/mean': 0.1},
        dict(epoch=2, iter=40, loss=1.23456, loss_cls=1.0, loss_dr=None, lr=0.1),
    ]
    assert train_curve(log) == [
        dict(epoch=1, loss=2.0, loss_cls=1.5, loss_dr=0.5),
        dict(epoch=2, loss=1.2346, loss_cls=1.0),
    ]
    val = [dict(epoch=epoch, all=value, few=1.0, ece=3.0) for epoch, value in ((5, 40.0), (10, 45.0), (15, 45.0))]
    assert best_epoch(val) == dict(epoch=10, all=45.0, few=1.0)
    assert best_epoch(val[:1]) is None
