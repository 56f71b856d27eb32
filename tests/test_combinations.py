"""What MMEngine and torch can do beside the DR loss: it works and changes nothing, or it is refused with a sentence."""

from pathlib import Path
from typing import Any

import pytest
import torch
from digits_run import short_config
from forks import Forks

from mmdrl.engine.combinations import check_runner, check_training
from mmdrl.engine.config import load_config
from mmdrl.engine.total_batch import launched_processes, set_total_batch
from mmdrl.errors import ConfigError

ROOT = Path(__file__).parents[1]
CONFIG = str(ROOT / 'configs/drl_r8_digits-lt.py')
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason='speaks of a machine without GPUs')


@pytest.mark.slow
def test_settings_of_one_process_train_as_the_plain_run_does(forks: Forks, tmp_path: Path) -> None:
    said = forks.run(1, 'worker_combinations.py', tmp_path, 'alone', cwd=tmp_path)
    for name in ('averaged weights', 'channels last', 'activation checkpointing', 'compiled'):
        assert f'{name}: as plain' in said


@pytest.mark.slow
@pytest.mark.distributed
def test_settings_of_two_processes_train_as_the_plain_run_does(forks: Forks, tmp_path: Path) -> None:
    said = forks.run(2, 'worker_combinations.py', tmp_path, cwd=tmp_path)
    for name in ('averaged weights', 'activation checkpointing', 'find_unused_parameters', 'static_graph'):
        assert f'{name}: as plain' in said


@pytest.mark.parametrize(
    ('changes', 'match'),
    [
        (dict(runner_type='FlexibleRunner'), "runner_type='FlexibleRunner'.*Leave runner_type and strategy out"),
        (dict(strategy=dict(type='DeepSpeedStrategy')), 'Nothing reads strategy'),
        (dict(model_wrapper_cfg=dict(type='MMFullyShardedDataParallel')), 'by MMFullyShardedDataParallel, which takes'),
        (dict(model_wrapper_cfg=dict(type='MMSeparateDistributedDataParallel')), 'by MMSeparate.*MMDistributed'),
    ],
)
def test_runner_that_takes_the_model_to_pieces_is_refused(tmp_path: Path, changes: dict[str, Any], match: str) -> None:
    cfg = short_config(tmp_path)
    check_runner(cfg)
    cfg.merge_from_dict(changes)
    with pytest.raises(ConfigError, match=match):
        check_runner(cfg)


class OwnWrapper(torch.nn.Module):
    """What a project may wrap its model by."""


def test_wrapper_of_a_project_s_own_is_its_business(tmp_path: Path) -> None:
    cfg = short_config(tmp_path)
    cfg.model_wrapper_cfg = dict(type=OwnWrapper)
    check_runner(cfg)


@without_gpu
@pytest.mark.parametrize(
    ('changes', 'match'),
    [
        ({'optim_wrapper.type': 'AmpOptimWrapper'}, r'^optim_wrapper\.type=.AmpOptimWrapper.*needs a GPU'),
        ({'optim_wrapper.type': 'mmengine.AmpOptimWrapper'}, 'needs a GPU'),
        ({'optim_wrapper.type': 'ApexOptimWrapper'}, 'needs the package apex'),
        ({'optim_wrapper.type': 'DeepSpeedOptimWrapper'}, 'strategy of FlexibleRunner'),
        (
            {'default_hooks.stages.stages.1.optim_wrapper': dict(type='AmpOptimWrapper')},
            r'^default_hooks\.stages\.stages\.1\.optim_wrapper\.type',
        ),
        ({'launcher': 'pytorch', 'sync_bn': 'torch'}, 'computed on GPUs only'),
        ({'launcher': 'pytorch', 'model.backbone.norm_cfg': dict(type='SyncBN')}, 'computed on GPUs only'),
    ],
)
def test_what_needs_a_gpu_or_a_package_is_refused_before_training(
    tmp_path: Path, changes: dict[str, Any], match: str
) -> None:
    cfg = load_config(CONFIG, work_dir=str(tmp_path))
    check_training(cfg)
    cfg.merge_from_dict(changes)
    with pytest.raises(ConfigError, match=match):
        check_training(cfg)


def test_synchronised_batch_statistics_of_one_process_are_ordinary_ones(tmp_path: Path) -> None:
    """MMEngine puts ``BN`` in place of ``SyncBN`` then."""
    check_training(load_config(CONFIG, ['sync_bn=torch'], work_dir=str(tmp_path)))


@without_gpu
def test_wrapper_keeps_what_the_config_says_of_it_and_leaves_buffers_alone() -> None:
    plain = load_config(CONFIG, launcher='pytorch').model_wrapper_cfg
    assert [value for name, value in plain.items() if 'buffers' in name] == [False]
    assert plain['device_ids'] is None
    assert not plain['find_unused_parameters']
    options = ['model_wrapper_cfg.static_graph=True', 'find_unused_parameters=True']
    own = load_config(CONFIG, options, launcher='pytorch').model_wrapper_cfg
    assert own == plain | dict(static_graph=True, find_unused_parameters=True)
    own = load_config(CONFIG, ['model_wrapper_cfg.broadcast_buffers=True'], launcher='pytorch').model_wrapper_cfg
    assert [value for name, value in own.items() if 'buffers' in name] == [True]
    options = ['model_wrapper_cfg.type=mmengine.MMDistributedDataParallel']
    own = load_config(CONFIG, options, launcher='pytorch').model_wrapper_cfg
    assert own == plain | dict(type='mmengine.MMDistributedDataParallel')
    assert 'model_wrapper_cfg' not in load_config(CONFIG)


@pytest.mark.parametrize(('processes', 'share'), [(1, 96), (2, 48), (3, 32), (96, 1)])
def test_total_batch_is_shared_out(processes: int, share: int) -> None:
    cfg = load_config(CONFIG)
    set_total_batch(cfg, 96, processes)
    assert cfg.train_dataloader.batch_size == share


@pytest.mark.parametrize(('total', 'processes'), [(0, 1), (-32, 2), (33, 2), (2, 4)])
def test_total_batch_that_cannot_be_shared_out_is_refused(total: int, processes: int) -> None:
    with pytest.raises(ConfigError, match=rf'--total-batch {total} .* multiple of {processes}'):
        set_total_batch(load_config(CONFIG), total, processes)


def test_total_batch_needs_a_batch_size_to_replace() -> None:
    cfg = load_config(CONFIG)
    cfg.train_dataloader.batch_size = None
    with pytest.raises(ConfigError, match=r'train_dataloader\.batch_size'):
        set_total_batch(cfg, 32, 1)


def test_number_of_processes_is_known_before_they_have_met(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('WORLD_SIZE', '3')
    monkeypatch.setenv('SLURM_NTASKS', '5')
    monkeypatch.setenv('OMPI_COMM_WORLD_SIZE', '7')
    assert [launched_processes(name) for name in ('none', 'pytorch', 'slurm', 'mpi')] == [1, 3, 5, 7]
