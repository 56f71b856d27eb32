"""Every config of a small data set trains as it is, two iterations in each stage, and does what its stages say."""

from pathlib import Path
from typing import Any

import pytest
import torch
from command import ROOT
from digits_run import train
from miniature_cifar import noise, write_arrays
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdrl.engine.config import LOADERS, load_config
from mmdrl.engine.results import read_results

pytestmark = pytest.mark.slow
DIGITS = sorted((ROOT / 'configs/digits_lt').glob('*.py'))
CIFAR = sorted((ROOT / 'configs/cifar100_lt').glob('*.py'))
BATCHES = 2


class Recorder(Hook):
    """Parameters and buffers before and after each epoch, and the losses of every iteration."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.before: list[dict[str, torch.Tensor]] = []
        self.after: list[dict[str, torch.Tensor]] = []
        self.losses: list[list[dict[str, float]]] = []

    def before_train_epoch(self, runner: Runner) -> None:
        self.before.append({k: v.clone() for k, v in runner.model.state_dict().items()})
        self.losses.append([])

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.losses[-1].append({k: float(v) for k, v in outputs.items()})

    def after_train_epoch(self, runner: Runner) -> None:
        self.after.append({k: v.clone() for k, v in runner.model.state_dict().items()})

    def changed(self, epoch: int, part: str) -> set[str]:
        """Names that begin with ``part`` of what an epoch has changed."""
        before, after = self.before[epoch], self.after[epoch]
        return {k for k in after if k.startswith(part) and not torch.equal(before[k], after[k])}


def shortened(path: Path, folder: Path) -> Config:
    """The config with an epoch of two batches per stage."""
    cfg = load_config(str(path), work_dir=str(folder / 'run'))
    cfg.train_dataloader.batch_size = 16
    cfg.train_dataloader.num_batch_per_epoch = BATCHES
    for stage in stages_of(cfg):
        stage.epochs = 1
        if 'sampler' in stage:
            stage.sampler.num_samples = BATCHES * 16
    cfg.train_cfg.max_epochs = len(stages_of(cfg)) or 1
    cfg.default_hooks.summary.figures = False
    cfg.log_level = 'WARNING'
    if path in CIFAR:
        for split, per_class in (('train', 3), ('test', 1)):
            write_arrays(folder, 100, split, *noise(100, per_class))
        cfg.train_dataloader.dataset.imbalance_ratio = 3
        for name in LOADERS:
            cfg[name].update(num_workers=0, persistent_workers=False)
            dataset = cfg[name].dataset
            dataset.get('dataset', dataset).update(data_root=str(folder), check_numbers=False)
    return cfg


def stages_of(cfg: Config) -> list[Any]:
    return cfg.default_hooks.get('stages', {}).get('stages', [])


@pytest.mark.parametrize('path', [*DIGITS, *CIFAR], ids=lambda path: path.stem)
def test_every_stage_trains_and_leaves_alone_what_it_freezes(path: Path, tmp_path: Path) -> None:
    cfg = shortened(path, tmp_path)
    stages, recorder = stages_of(cfg), Recorder()
    runner = train(cfg, recorder)
    assert [len(epoch) for epoch in recorder.losses] == [BATCHES] * (len(stages) or 1)
    for epoch, stage in enumerate(stages or [{}]):
        for losses in recorder.losses[epoch]:
            assert all(value == value for value in losses.values())
            assert ('loss_dr' in losses) == (has_dr_loss(cfg) and stage.get('loss_weights', {}).get('loss_dr', 1) > 0)
        for part in stage.get('freeze', []):
            assert recorder.changed(epoch, part) == set()
        assert recorder.changed(epoch, 'head.fc' if 'backbone' in stage.get('freeze', []) else 'backbone')
    counts = runner.model.head.class_counts.tolist()
    assert read_results(tmp_path / 'run')['class_counts'] == counts
    assert counts == sorted(counts, reverse=True)


def has_dr_loss(cfg: Config) -> bool:
    return cfg.model.head.get('dr_loss') is not None


@pytest.mark.parametrize('name', ['ce-crt', 'drl-crt'])
def test_crt_starts_its_classifier_anew(name: str, tmp_path: Path) -> None:
    cfg, recorder = shortened(ROOT / f'configs/digits_lt/{name}_r8_digits-lt-ir50.py', tmp_path), Recorder()
    train(cfg, recorder)
    end, start = recorder.after[0]['head.fc.weight'], recorder.before[1]['head.fc.weight']
    assert abs(torch.corrcoef(torch.stack([end.flatten(), start.flatten()]))[0, 1]) < 0.2


def test_lws_learns_the_factors_in_its_second_stage_alone(tmp_path: Path) -> None:
    cfg, recorder = shortened(ROOT / 'configs/digits_lt/lws_r8_digits-lt-ir50.py', tmp_path), Recorder()
    train(cfg, recorder)
    assert torch.equal(recorder.after[0]['head.fc.scale'], torch.ones(10))
    assert recorder.changed(1, 'head.fc') == {'head.fc.scale'}


def test_released_protocol_has_class_counts_in_its_losses_and_radii_that_learn(tmp_path: Path) -> None:
    cfg = shortened(ROOT / 'configs/cifar100_lt/drl-released_r32_cifar100-lt-ir100.py', tmp_path)
    recorder = Recorder()
    train(cfg, recorder)
    radii = [name for name in recorder.after[0] if 'radius' in name]
    assert radii
    for stage, is_learned in enumerate((False, True, False)):
        assert bool(recorder.changed(stage, radii[0])) == is_learned
    assert not recorder.changed(1, 'head.fc')
    assert not recorder.changed(2, 'backbone')  # batch statistics, too
