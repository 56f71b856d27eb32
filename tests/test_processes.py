"""Several processes give what one gives: loss, gradients, and one model through every stage."""

import sys
from pathlib import Path

import pytest
import torch
from command import ROOT, run
from torch.testing import assert_close

pytestmark = [pytest.mark.slow, pytest.mark.distributed]


def workers(count: int, script: str, *arguments: object, cwd: Path) -> str:
    launch = [
        sys.executable,
        '-W',
        'ignore',
        '-m',
        'torch.distributed.run',
        '--standalone',
        f'--nproc-per-node={count}',
    ]
    answer = run(*launch, ROOT / 'tests' / script, *arguments, cwd=cwd, CUDA_VISIBLE_DEVICES='')
    assert answer.returncode == 0, answer.stdout
    return answer.stdout


def test_loss_and_gradients_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    for count in (1, 2, 4):
        workers(count, 'worker_loss.py', cwd=tmp_path)
    whole = torch.load(tmp_path / '1.pt')
    for count in (2, 4):
        for value, expected in zip(torch.load(tmp_path / f'{count}.pt'), whole, strict=True):
            assert_close(value, expected, rtol=1e-5, atol=1e-6)


def test_two_processes_hold_one_model_through_freezing(tmp_path: Path) -> None:
    assert '2 processes agree' in workers(2, 'worker_stages.py', tmp_path / 'run', cwd=tmp_path)
