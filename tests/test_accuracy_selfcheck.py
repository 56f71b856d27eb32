"""The harness of accuracies as it is used: a small plan that is stopped, killed, and goes on to its end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import ROOT, run, tool
from miniature_cifar import noise, write_arrays

from mmdrl.errors import DataError

sys.path.append(str(ROOT / 'benchmarks'))
from evidence.plan import read_plan
from evidence.training import Places, is_recorded

pytestmark = pytest.mark.slow
PLAN = ROOT / 'benchmarks/plans/selfcheck.yaml'
CELLS = [cell.name for cell in read_plan(PLAN).cells()]


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """A folder with CIFAR-100: the real files where they are, else noise."""
    real = Path(os.environ.get('MMDRL_DATA', ROOT / 'data'))
    if (real / 'cifar/cifar100_train.npz').is_file():
        return real
    made = tmp_path_factory.mktemp('data')
    write_arrays(made / 'cifar', 100, 'train', *noise(100, 500))
    return made


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory):
    """Folder of a plan that was stopped by the clock, then killed with its trainings, then came to its end."""
    folder = tmp_path_factory.mktemp('check')
    command = [sys.executable, '-W', 'ignore', ROOT / 'benchmarks/accuracy.py', PLAN, '--jobs', '2']
    command += ['--data', data, '--runs', folder / 'runs', '--out', folder / 'out']
    stopped = run(*command, '--minutes', '0.15', cwd=folder)
    assert stopped.returncode == 0, stopped.stdout
    assert ' to go on with, 0 failed.' in stopped.stdout
    with subprocess.Popen(list(map(str, command)), cwd=folder, stdout=subprocess.DEVNULL) as harness:
        until = time.monotonic() + 200
        while time.monotonic() < until and not list(folder.glob('runs/selfcheck/*/last_checkpoint')):
            time.sleep(0.1)
        trainings = Path(f'/proc/{harness.pid}/task/{harness.pid}/children').read_text().split()
        harness.kill()
        for number in trainings:
            os.killpg(int(number), signal.SIGKILL)
    ended = run(*command, cwd=folder)
    assert ended.returncode == 0, ended.stdout
    return folder, command, ended.stdout


def test_every_cell_has_its_record_and_nothing_is_trained_twice(trained):
    folder, command, _ = trained
    records = {path.stem: path for path in (folder / 'out/selfcheck').iterdir()}
    assert sorted(records) == sorted(CELLS)
    before = {name: path.stat().st_mtime_ns for name, path in records.items()}
    again = run(*command, cwd=folder)
    assert f'{len(CELLS)} of {len(CELLS)} trainings have their record' in again.stdout
    assert 'begun' not in again.stdout
    assert {name: path.stat().st_mtime_ns for name, path in records.items()} == before


def test_records_say_what_was_trained_on_what_and_how_well(trained):
    folder, _, _ = trained
    for cell in read_plan(PLAN).cells():
        record = json.loads((folder / f'out/selfcheck/{cell.name}.json').read_text())
        assert (record['row'], record['seed'], record['budget']) == (cell.row.name, cell.seed, 'check')
        assert record['epochs'] == cell.row.epochs
        assert record['made_with']['versions']['torch']
        assert str(folder) not in json.dumps(record)  # no path of a machine
        assert 0 <= record['metrics']['all'] <= 100
        assert {'many', 'medium', 'few', 'ncm/all', 'ece'} <= set(record['metrics'])
        assert [entry['epoch'] for entry in record['curve']['train']] == list(range(1, cell.row.epochs + 1))
        assert (record['best'] is None) == (cell.row.every == 0)
        assert (record['insight']['gradients'] is None) == ('drl' not in cell.row.name)
        assert len(record['per_class']['linear']) == len(record['class_counts'])


def test_what_was_stopped_and_killed_is_what_an_unbroken_run_comes_to(trained):
    folder, _, _ = trained
    config = folder / 'runs/selfcheck/configs/digits-drl_0/digits-drl.py'
    unbroken = tool('train', config, '--gpus', '0', '--work-dir', folder / 'unbroken', cwd=folder)
    assert unbroken.returncode == 0, unbroken.stdout
    expected = json.loads((folder / 'unbroken/results.json').read_text())
    found = json.loads((folder / 'out/selfcheck/digits-drl_0.json').read_text())
    assert found['metrics'] == {name: round(value, 4) for name, value in expected['metrics'].items()}
    assert found['iterations'] == expected['iterations']


def test_records_of_a_plan_that_has_changed_since_are_refused(trained, tmp_path):
    folder, _, _ = trained
    changed = tmp_path / 'selfcheck.yaml'
    changed.write_text(PLAN.read_text().replace('epochs: 5', 'epochs: 6'))
    places = Places(folder / 'runs', folder / 'out', folder)
    plans = read_plan(PLAN), read_plan(changed)
    cells = [next(plan.cells()) for plan in plans]
    assert is_recorded(plans[0], cells[0], places)
    with pytest.raises(DataError, match=r'digits-crt_0.json to be of the config as it is now, got that of another'):
        is_recorded(plans[1], cells[1], places)
