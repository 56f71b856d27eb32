"""The commands of the README through mim, from an empty folder."""

import json
from pathlib import Path

import pytest
import torch
from command import ROOT, SHORT_DIGITS, mim
from miniature import make_imagenet_lt

from mmdrl.engine.checkpoints import read_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.host]


def test_mim_trains_and_tests_the_digits(tmp_path: Path) -> None:
    """By path; by name from an empty folder in test_packaging.py, for every way to install."""
    config = ROOT / 'configs/drl_r8_digits-lt.py'
    options = ['--gpus', 0, '--cfg-options', *SHORT_DIGITS]
    answer = mim('train', 'mmdrl', config, *options, cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    folder = tmp_path / 'work_dirs/drl_r8_digits-lt'
    metrics = json.loads((folder / 'results.json').read_text())['metrics']
    checkpoint = folder / 'epoch_3.pth'
    answer = mim('test', 'mmdrl', config, '--checkpoint', checkpoint, '--gpus', 0, cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    assert f'{metrics["ncm/all"]:.1f}' in answer.stdout


@pytest.mark.distributed
def test_imagenet_lt_flagship_trains_on_two_cpu_processes(tmp_path: Path) -> None:
    """Three iterations, one in each stage, on 1000 classes of 64-pixel noise."""
    root = make_imagenet_lt(tmp_path / 'imagenet')
    options = [
        *(f'{part}_dataloader.dataset.data_root={root}' for part in ('train', 'val', 'test')),
        *(f'{part}_dataloader.dataset.check_numbers=False' for part in ('train', 'val', 'test')),
        *(f'{part}_dataloader.num_workers=0' for part in ('train', 'val', 'test')),
        'train_dataloader.batch_size=2',
        'train_dataloader.num_batch_per_epoch=1',
        'train_cfg.max_epochs=3',
        *(f'default_hooks.stages.stages.{stage}.epochs=1' for stage in range(3)),
        *(f'default_hooks.stages.stages.{stage}.sampler.num_samples=4' for stage in (1, 2)),
    ]
    answer = mim(
        *('train', 'mmdrl', 'configs/drl_r50_imagenet-lt.py', '--gpus', 2, '--device', 'cpu'),
        *('--work-dir', tmp_path / 'run', '--cfg-options', *options),
        cwd=ROOT,
    )
    assert answer.returncode == 0, answer.stdout
    assert 'GPU number: 2' in answer.stdout
    assert 'loss_dr' in answer.stdout
    state = read_checkpoint(str(tmp_path / 'run/epoch_3.pth'))['state_dict']
    assert state['head.class_counts'].tolist() == [3] * 10 + [1] * 990
    assert state['head.centroids.centroids'].shape == (1000, 2048)


@pytest.mark.skipif(torch.cuda.is_available(), reason='speaks of a machine without GPUs')
def test_mims_default_of_one_gpu_ends_with_the_way_out(tmp_path: Path) -> None:
    answer = mim('train', 'mmdrl', ROOT / 'configs/drl_r8_digits-lt.py', cwd=tmp_path)
    assert answer.returncode != 0
    assert 'error: Expected 1 GPU for --gpus 1, this machine has 0. Use --gpus 0' in answer.stdout
    assert not list(tmp_path.iterdir())


def test_more_processes_started_by_torchs_launcher_train_too(tmp_path: Path) -> None:
    config = ROOT / 'configs/drl_r8_digits-lt.py'
    answer = mim(
        *('train', 'mmdrl', config, '--launcher', 'pytorch', '--gpus', 2, '--cfg-options', *SHORT_DIGITS),
        cwd=tmp_path,
        CUDA_VISIBLE_DEVICES='',
    )
    assert answer.returncode == 0, answer.stdout
    assert 'GPU number: 2' in answer.stdout
