"""From ``--gpus`` to processes, and what a machine without GPUs answers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmdrl.errors import LaunchError
from mmdrl.launch import num_processes, start

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason='speaks of a machine without GPUs')


@pytest.fixture(autouse=True)
def keep_visible_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', os.environ.get('CUDA_VISIBLE_DEVICES', '0'))


@pytest.mark.parametrize(
    ('gpus', 'device', 'count'), [(None, None, 1), (0, None, 1), (None, 'cpu', 1), (0, 'cpu', 1), (3, 'cpu', 3)]
)
def test_cpu_runs_as_many_processes_as_asked(gpus: int | None, device: str | None, count: int) -> None:
    assert num_processes(gpus, device) == count


@pytest.mark.parametrize(('gpus', 'device'), [(0, None), (2, 'cpu')])
def test_cpu_run_hides_the_gpus(gpus: int, device: str | None) -> None:
    num_processes(gpus, device)
    assert os.environ['CUDA_VISIBLE_DEVICES'] == ''


@without_gpu
@pytest.mark.parametrize('gpus', [1, 2])
def test_more_gpus_than_there_are_is_refused_with_the_way_out(gpus: int) -> None:
    with pytest.raises(LaunchError, match=rf'{gpus} GPU.*has 0.*--gpus 0 .*--gpus {gpus} --device cpu'):
        num_processes(gpus, None)


@pytest.mark.parametrize(('gpus', 'device'), [(-1, None), (0, 'cuda')])
def test_contradiction_is_refused(gpus: int, device: str | None) -> None:
    with pytest.raises(LaunchError, match='--gpus'):
        num_processes(gpus, device)


def test_processes_of_torchrun_must_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each would train a model of its own into one folder."""
    monkeypatch.setenv('WORLD_SIZE', '2')
    monkeypatch.setenv('RANK', '1')
    with pytest.raises(LaunchError, match='--launcher pytorch'):
        start(2, 'cpu', 'none')


def test_launcher_without_torchrun_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('RANK', raising=False)
    with pytest.raises(LaunchError, match='torchrun has started, and this is none'):
        start(2, 'cpu', 'pytorch')


def run_tool(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[1]
    command = [sys.executable, str(root / 'tools/train.py'), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=cwd)


@without_gpu
def test_tool_ends_in_one_sentence_and_a_bad_status(tmp_path: Path) -> None:
    """``--gpus 1`` is mim's default."""
    config = Path(__file__).parents[1] / 'configs/drl_r8_digits-lt.py'
    answer = run_tool(config, '--gpus', 1, cwd=tmp_path)
    assert answer.returncode == 1
    assert answer.stderr.startswith('error: Expected 1 GPU')
    assert '--gpus 0' in answer.stderr
    assert 'Traceback' not in answer.stderr
    assert not list(tmp_path.iterdir())


def test_help_answers_before_torch_is_imported() -> None:
    """mim asks for ``-h`` before every run, and importing torch takes seconds."""
    answer = subprocess.run(
        [sys.executable, '-X', 'importtime', 'tools/train.py', '-h'],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert '--gpus' in answer.stdout
    imported = {line.rsplit('|')[-1].strip() for line in answer.stderr.splitlines()}
    assert not imported & {'torch', 'mmengine', 'mmdrl'}
