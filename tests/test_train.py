"""The digits job through the tools: it trains, repeats itself, tests, resumes, and runs in several processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import ROOT, SHORT_DIGITS, tool
from refusals import command

CONFIG = ROOT / 'configs/drl_r8_digits-lt.py'
pytestmark = pytest.mark.slow


def results(folder: Path) -> dict:
    return json.loads((folder / 'results.json').read_text())


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('trained')
    answer = tool('train', CONFIG, '--gpus', 0, '--cfg-options', *SHORT_DIGITS, cwd=folder)
    assert answer.returncode == 0, answer.stdout
    (folder / 'answer.txt').write_text(answer.stdout)
    return folder


def test_run_leaves_table_results_figures_and_checkpoint(trained: Path) -> None:
    folder = trained / 'work_dirs/drl_r8_digits-lt'
    found = results(folder)
    assert found['class_counts'] == [120, 77, 50, 32, 21, 13, 8, 5, 3, 2]
    assert set(found['metrics']) >= {'many', 'medium', 'few', 'all', 'ncm/all'}
    assert (trained / found['checkpoint']).is_file()
    for figure in ('class_accuracy', 'feature_map'):
        assert (folder / f'figures/{figure}.png').read_bytes().startswith(b'\x89PNG')
    text = (trained / 'answer.txt').read_text()
    for word in ("'warm-up'", "'feature'", "'classifier'", 'linear', 'ncm', 'loss_dr', 'Checkpoint: '):
        assert word in text


def test_same_seed_gives_the_same_numbers_and_another_seed_others(trained: Path, tmp_path: Path) -> None:
    options = ['--gpus', 0, '--cfg-options', *SHORT_DIGITS]
    again = tool('train', CONFIG, *options, cwd=tmp_path)
    assert again.returncode == 0, again.stdout
    other = tool('train', CONFIG, *options, 'randomness.seed=1', 'work_dir=other', cwd=tmp_path)
    assert other.returncode == 0, other.stdout
    first = results(trained / 'work_dirs/drl_r8_digits-lt')
    assert results(tmp_path / 'work_dirs/drl_r8_digits-lt')['per_class'] == first['per_class']
    assert results(tmp_path / 'other')['per_class'] != first['per_class']


@pytest.mark.host
def test_testing_the_checkpoint_repeats_the_last_validation(trained: Path, tmp_path: Path) -> None:
    found = results(trained / 'work_dirs/drl_r8_digits-lt')
    out = tmp_path / 'metrics.json'
    answer = tool('test', CONFIG, trained / found['checkpoint'], '--out', out, cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    metrics = json.loads(out.read_text())
    for key in ('many', 'medium', 'few', 'all', 'ncm/few', 'ncm/all'):
        assert metrics[key] == pytest.approx(found['metrics'][key])
    assert f'{metrics["all"]:.1f}' in answer.stdout


@pytest.mark.host
def test_killed_run_resumes_and_ends(tmp_path: Path) -> None:
    """In a stage so long that the run is still in it when it is killed."""
    epochs = [f'default_hooks.stages.stages.{stage}.epochs={count}' for stage, count in enumerate((2, 10, 2))]
    options = ['--gpus', '0', '--work-dir', 'run', '--cfg-options', 'train_cfg.max_epochs=14', *epochs]
    words = [sys.executable, '-W', 'ignore', str(ROOT / 'tools/train.py'), str(CONFIG), *options]
    run = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not (tmp_path / 'run/epoch_4.pth').exists():
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert not (tmp_path / 'run/results.json').exists()
    answer = tool('train', CONFIG, '--resume', *options, cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    assert "Resumed in stage 2 of 3, 'feature', epochs 3 to 12." in answer.stdout
    assert "Stage 3 of 3, 'classifier', epochs 13 to 14: 38 iterations" in answer.stdout
    assert 'Stage 1 of 3' not in answer.stdout
    assert results(tmp_path / 'run')['epochs'] == 14


@pytest.mark.distributed
def test_two_cpu_processes_train_one_model(tmp_path: Path) -> None:
    answer = tool('train', CONFIG, '--gpus', 2, '--device', 'cpu', '--cfg-options', *SHORT_DIGITS, cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    assert '2 x cpu' in answer.stdout
    assert "'feature', epoch 2: 1 iterations each" in answer.stdout  # 64 images, 2 x 32 at a time
    assert answer.stdout.count('Written: ') == 1
    found = results(tmp_path / 'work_dirs/drl_r8_digits-lt')
    assert found['epochs'] == 3
    # The processes share batch statistics, so what was validated is what was saved.
    answer = tool('test', CONFIG, tmp_path / found['checkpoint'], '--out', 'm.json', cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    metrics = json.loads((tmp_path / 'm.json').read_text())
    assert {key: metrics[key] for key in ('all', 'ncm/all')} == {k: found['metrics'][k] for k in ('all', 'ncm/all')}


@pytest.mark.distributed
def test_mistake_in_several_processes_ends_without_a_traceback(tmp_path: Path) -> None:
    answer = tool(
        'train', CONFIG, '--gpus', 2, '--device', 'cpu', '--cfg-options', 'train_cfg.max_epochs=7', cwd=tmp_path
    )
    assert answer.returncode == 1
    assert 'error: The stages last 20 + 20 + 10 = 50 epochs' in answer.stdout
    assert 'Traceback' not in answer.stdout


def test_runs_are_compared_side_by_side(trained: Path, tmp_path: Path) -> None:
    run = trained / 'work_dirs/drl_r8_digits-lt'
    answer = tool('analysis/compare_runs', run, run, '--out', 'new/figure.png', cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    assert f'{results(run)["metrics"]["ncm/all"]:.1f}' in answer.stdout
    assert 'epoch_3.pth' in answer.stdout
    assert (tmp_path / 'new/figure.png').read_bytes().startswith(b'\x89PNG')


def test_comparing_an_unfinished_run_says_so(tmp_path: Path) -> None:
    status, text = command('analysis/compare_runs', tmp_path, cwd=tmp_path)
    assert status == 1
    assert text.splitlines()[-1].startswith('error: Expected the results of a finished run')
