"""Counts of training images: in the head, in the checkpoint, in the metrics."""

from pathlib import Path

import pytest
from digits_run import short_config, train
from mmengine.runner import Runner

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
