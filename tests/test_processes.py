"""Several processes give what one gives: loss, gradients, and one model through every stage."""

from pathlib import Path

import pytest
import torch
from forks import Forks
from torch.testing import assert_close

pytestmark = [pytest.mark.slow, pytest.mark.distributed]


def test_loss_and_gradients_do_not_depend_on_the_number_of_processes(forks: Forks, tmp_path: Path) -> None:
    for count in (1, 2, 4):
        forks.run(count, 'worker_loss.py', cwd=tmp_path)
    whole = torch.load(tmp_path / '1.pt')
    for count in (2, 4):
        for value, expected in zip(torch.load(tmp_path / f'{count}.pt'), whole, strict=True):
            assert_close(value, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('mode', ['running', 'ema'])
def test_whole_training_step_does_not_depend_on_the_number_of_processes(
    forks: Forks, tmp_path: Path, mode: str
) -> None:
    for count in (1, 2, 4):
        answer = forks.run(count, 'worker_step.py', mode, tmp_path / 'whole.pt', cwd=tmp_path)
        assert count == 1 or f'{count} processes: worst deviation' in answer


def test_exact_pass_sees_every_image_once_whatever_the_number_of_processes(forks: Forks, tmp_path: Path) -> None:
    """331 images do not divide evenly: a sampler that rounds up would count some twice."""
    for count in (1, 2):
        answer = forks.run(count, 'worker_clean_pass.py', tmp_path / f'run{count}', tmp_path / 'whole.pt', cwd=tmp_path)
    assert '2 processes: centroids deviate' in answer


@pytest.mark.parametrize('mode', ['running', 'epoch', 'ema'])
def test_two_processes_hold_one_model_and_its_centroids_through_freezing(
    forks: Forks, tmp_path: Path, mode: str
) -> None:
    assert '2 processes agree' in forks.run(2, 'worker_stages.py', tmp_path / 'run', mode, cwd=tmp_path)


def test_processes_that_could_not_train_one_model_refuse_before_a_step(forks: Forks, tmp_path: Path) -> None:
    answer = forks.run(2, 'worker_refusals.py', tmp_path, cwd=tmp_path)
    assert 'uneven: 2 processes say round_up=True' in answer
    assert 'overwritten: 2 processes say broadcast_buffers=False' in answer


def test_validation_in_the_middle_of_an_interval_leaves_the_sums_alone(forks: Forks, tmp_path: Path) -> None:
    assert 'sums are as they were' in forks.run(2, 'worker_interval.py', tmp_path / 'run', cwd=tmp_path)


def test_two_processes_hold_one_model_through_other_heads_losses_and_optimisers(forks: Forks, tmp_path: Path) -> None:
    assert '2 processes agree' in forks.run(2, 'worker_switches.py', tmp_path / 'run', cwd=tmp_path)
