"""The weighted mean of the class-balanced loss runs over the batch of all processes."""

from pathlib import Path

import pytest
import torch
from forks import Forks
from torch.testing import assert_close


@pytest.mark.slow
@pytest.mark.distributed
def test_average_over_weights_does_not_depend_on_the_number_of_processes(forks: Forks, tmp_path: Path) -> None:
    for count in (1, 2, 4):
        forks.run(count, 'worker_counted_loss.py', cwd=tmp_path)
    whole = torch.load(tmp_path / '1.pt')
    for count in (2, 4):
        for value, expected in zip(torch.load(tmp_path / f'{count}.pt'), whole, strict=True):
            assert_close(value, expected, rtol=1e-6, atol=1e-9)
