"""The weighted mean of the class-balanced loss runs over the batch of all processes."""

import sys
from pathlib import Path

import pytest
import torch
from command import ROOT, run
from torch.testing import assert_close


@pytest.mark.slow
@pytest.mark.distributed
def test_average_over_weights_does_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    launch = [sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run', '--standalone']
    for count in (1, 2, 4):
        worker = ROOT / 'tests/worker_counted_loss.py'
        answer = run(*launch, f'--nproc-per-node={count}', worker, cwd=tmp_path, CUDA_VISIBLE_DEVICES='')
        assert answer.returncode == 0, answer.stdout
    whole = torch.load(tmp_path / '1.pt')
    for count in (2, 4):
        for value, expected in zip(torch.load(tmp_path / f'{count}.pt'), whole, strict=True):
            assert_close(value, expected, rtol=1e-6, atol=1e-9)
