"""Counts of training images: in head and losses, in the checkpoint, in the metrics."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from digits_run import short_config, train
from mmengine.config import Config
from mmengine.runner import CheckpointLoader, Runner
from torch import nn
from torch.utils.data import Dataset

from mmdrl.engine.hooks import ClassCountsHook
from mmdrl.errors import ConfigError
from mmdrl.models.losses import BalancedSoftmaxLoss, LDAMLoss

COUNTS = [120, 77, 50, 32, 21, 13, 8, 5, 3, 2]
ONE_STAGE = [dict(name='only', epochs=1)]


def test_repeated_images_count_once(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'run', ONE_STAGE)
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=3, dataset=cfg.train_dataloader.dataset)
    runner = train(cfg)
    assert len(runner.train_dataloader.dataset) == 3 * 331
    assert runner.model.head.class_counts.tolist() == COUNTS


def test_images_that_several_parts_hold_count_once(tmp_path: Path) -> None:
    """As configs the parts are data sets of their own, which read the same images."""
    cfg = short_config(tmp_path / 'run', ONE_STAGE)
    tail = cfg.train_dataloader.dataset
    smaller = dict(tail, max_count=60)
    parts = [dict(type='RepeatDataset', times=2, dataset=smaller), tail, smaller]
    cfg.train_dataloader.dataset = dict(type='ConcatDataset', datasets=parts, ignore_keys=['class_counts'])
    runner = train(cfg)
    assert len(runner.train_dataloader.dataset) == 331 + 3 * 163
    assert runner.model.head.class_counts.tolist() == COUNTS


def test_other_heads_are_tested_by_shot_group_with_the_counts_of_the_checkpoint(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'run', ONE_STAGE)
    cfg.model.head = dict(type='LinearClsHead', num_classes=10, in_channels=64)
    cfg.val_evaluator = cfg.test_evaluator = [dict(type='mmdrl.ShotAccuracy', many=60, few=20)]
    del cfg.default_hooks.centroids, cfg.default_hooks.stages
    trained = train(cfg)
    validated = trained.val_evaluator.metrics[0].per_class
    cfg.load_from, cfg.experiment_name = str(tmp_path / 'run/epoch_1.pth'), 'tested'
    tester = Runner.from_cfg(cfg)
    metrics = tester.test()
    assert tester.test_evaluator.metrics[0].class_counts.tolist() == COUNTS
    assert metrics['all'] == pytest.approx(validated.mean())  # as many images of every class are held out


def plain_config(work_dir: Path, loss: dict) -> Config:
    """One epoch of the digits under MMPretrain's own head."""
    cfg = short_config(work_dir, ONE_STAGE)
    cfg.model.head = dict(type='LinearClsHead', num_classes=10, in_channels=64, loss=loss)
    cfg.val_evaluator = [dict(type='mmdrl.ShotAccuracy', many=60, few=20)]
    del cfg.default_hooks.centroids, cfg.default_hooks.stages
    return cfg


def test_losses_of_other_heads_get_the_counts(tmp_path: Path) -> None:
    inner = dict(type='mmdrl.LDAMLoss', num_classes=10)
    runner = train(plain_config(tmp_path / 'run', dict(type='mmdrl.ClassBalancedLoss', num_classes=10, loss=inner)))
    loss = runner.model.head.loss_module
    assert loss.class_counts.tolist() == loss.loss.class_counts.tolist() == COUNTS
    assert runner.val_evaluator.metrics[0].class_counts.tolist() == COUNTS


def test_loss_of_a_later_stage_gets_the_counts(tmp_path: Path) -> None:
    """Nothing in the model keeps them before."""
    cfg = plain_config(tmp_path / 'run', dict(type='CrossEntropyLoss'))
    later = dict(type='mmdrl.LDAMLoss', num_classes=10)
    plan = [dict(name='plain', epochs=1), dict(name='margins', epochs=1, loss=later)]
    cfg.default_hooks.stages = dict(type='mmdrl.TwoStageHook', stages=plan)
    cfg.train_cfg.max_epochs = 2
    assert train(cfg).model.head.loss_module.class_counts.tolist() == COUNTS


def test_counts_given_as_an_argument_stay(tmp_path: Path) -> None:
    given = dict(type='mmdrl.BalancedSoftmaxLoss', num_classes=10, class_counts=[9, *COUNTS[1:]])
    runner = train(plain_config(tmp_path / 'run', given))
    assert runner.model.head.loss_module.class_counts.tolist() == [9, *COUNTS[1:]]
    assert runner.val_evaluator.metrics[0].class_counts.tolist() == COUNTS


def test_head_and_its_loss_both_get_the_counts(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'run', ONE_STAGE)
    cfg.model.head.loss = dict(type='mmdrl.BalancedSoftmaxLoss')
    head = train(cfg).model.head
    assert head.class_counts.tolist() == head.loss_module.class_counts.tolist() == COUNTS
    saved = CheckpointLoader.load_checkpoint(str(tmp_path / 'run/epoch_1.pth'), 'cpu')['state_dict']
    assert [name for name in saved if 'class_counts' in name] == ['head.class_counts']


def test_loss_for_other_classes_than_the_data_is_named(tmp_path: Path) -> None:
    cfg = plain_config(tmp_path / 'run', dict(type='mmdrl.BalancedSoftmaxLoss', num_classes=7))
    with pytest.raises(ConfigError, match=r'BalancedSoftmaxLoss\.num_classes is 7.*10 classes'):
        train(cfg)


def test_parts_for_different_numbers_of_classes_are_named() -> None:
    class Unnamed(Dataset):
        def __len__(self) -> int:
            return 3

        def get_gt_labels(self) -> list[int]:
            return [0, 1, 2]

    model = nn.ModuleList([LDAMLoss(3), BalancedSoftmaxLoss(4)])
    hook = ClassCountsHook()
    runner = SimpleNamespace(model=model, hooks=[hook], train_dataloader=SimpleNamespace(dataset=Unnamed()))
    with pytest.raises(ConfigError, match=r'LDAMLoss\.num_classes=3, BalancedSoftmaxLoss\.num_classes=4'):
        hook.before_train(runner)


@pytest.mark.parametrize('loss', ['FocalLoss', 'SeesawLoss'])
def test_losses_of_mmpretrain_train_under_the_head(tmp_path: Path, loss: str) -> None:
    cfg = short_config(tmp_path / 'run', ONE_STAGE)
    cfg.model.head.loss = dict(type=loss)
    head = train(cfg).model.head
    assert all(parameter.isfinite().all() for parameter in head.parameters())
    if loss == 'SeesawLoss':  # in one epoch, every image once
        assert head.loss_module.cum_samples.tolist() == COUNTS
        saved = CheckpointLoader.load_checkpoint(str(tmp_path / 'run/epoch_1.pth'), 'cpu')['state_dict']
        assert saved['head.loss_module.cum_samples'].tolist() == COUNTS
