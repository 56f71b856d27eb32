"""Augmentation of whole batches by stages: which images a network sees, on resuming too, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from digits_run import short_config, train
from mmengine.config import Config
from mmengine.hooks import Hook
from torch import Tensor

from mmdrl.engine.augmented_once import check_augmented_once
from mmdrl.engine.describe import describe_run
from mmdrl.engine.run import train_model
from mmdrl.errors import ConfigError
from mmdrl.visualization.plan_rows import stage_rows
from mmdrl.visualization.stage_changes import stage_changes

FLIP = [dict(type='mmdrl.BatchFlip', prob=1.0)]
UPSIDE_DOWN = [dict(type='mmdrl.BatchFlip', prob=1.0, direction='vertical')]
PLAN: list[dict[str, Any]] = [
    dict(name='flipped', epochs=1),
    dict(name='plain', epochs=2, augments=[]),
    dict(name='upside down', epochs=1, augments=UPSIDE_DOWN),
    dict(name='as in the config', epochs=1),
]


class Looks(Hook):
    """In which of three ways the network sees the images of the data set, in each iteration, by epoch."""

    def __init__(self) -> None:
        self.seen: dict[int, set[str]] = {}
        self.given: Tensor | None = None

    def before_train(self, runner: Any) -> None:
        runner.model.backbone.register_forward_pre_hook(lambda _, inputs: setattr(self, 'given', inputs[0]))

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        preprocessor = runner.model.data_preprocessor
        pixels = (data_batch['inputs'].float() - preprocessor.mean) / preprocessor.std
        looks = {'plain': pixels, 'flipped': pixels.flip(3), 'upside down': pixels.flip(2)}
        found = {name for name, expected in looks.items() if torch.equal(self.given, expected)}
        self.seen.setdefault(runner.epoch, set()).update(found or {'other'})


def config(folder: Path, stages: list[dict[str, Any]], **settings: Any) -> Config:
    cfg = short_config(folder, stages)
    cfg.model.data_preprocessor.update(**{'type': 'mmdrl.BatchDataPreprocessor', **settings})
    return cfg


def test_each_stage_sees_its_images_and_a_resumed_one_too(tmp_path: Path) -> None:
    looks = ('flipped', 'plain', 'plain', 'upside down', 'flipped')
    watch, expected = Looks(), {epoch: {look} for epoch, look in enumerate(looks)}
    cfg = config(tmp_path / 'whole', PLAN, augments=FLIP)
    cfg.default_hooks.checkpoint.max_keep_ckpts = -1
    whole = train(cfg, watch)
    assert watch.seen == expected
    assert whole.model.data_preprocessor.augments.steps
    again, cfg = Looks(), config(tmp_path / 'resumed', PLAN, augments=FLIP)
    cfg.load_from, cfg.resume = str(tmp_path / 'whole/epoch_2.pth'), True
    resumed = train(cfg, again)
    assert again.seen == {epoch: expected[epoch] for epoch in (2, 3, 4)}
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_a_stage_that_has_begun_keeps_its_augments(tmp_path: Path) -> None:
    train(config(tmp_path, PLAN[:2]))
    changed = [PLAN[0], dict(PLAN[1], augments=FLIP)]
    with pytest.raises(ConfigError, match=r"augments=\[\] in stage 'plain', the config has.*BatchFlip"):
        train_model(config(tmp_path, changed), resume=str(tmp_path / 'epoch_2.pth'))


@pytest.mark.parametrize(
    ('augments', 'settings', 'message'),
    [
        (FLIP, dict(type='ClsDataPreprocessor'), r'takes the place.*BatchDataPreprocessor.*has a ClsDataPreprocessor'),
        ([dict(type='mmdrl.BatchTurn')], {}, "Stage 'two': the augments do not fit: 'mmdrl.BatchTurn' is no"),
        ([dict(type='mmdrl.BatchFlip', prob=2.0)], {}, "Stage 'two': the augments do not fit.*prob"),
        (['mmdrl.BatchFlip'], {}, 'augments must hold dicts with a type'),
        ('mmdrl.BatchFlip', {}, 'augments must be a list'),
    ],
)
def test_augments_that_do_not_fit_are_told_before_training(
    tmp_path: Path, augments: Any, settings: dict[str, Any], message: str
) -> None:
    stages = [dict(name='one', epochs=1), dict(name='two', epochs=1, augments=augments)]
    with pytest.raises(ConfigError, match=message):
        train_model(config(tmp_path / 'run', stages, **settings))
    assert not (tmp_path / 'run').exists()


def test_transforms_whose_images_cannot_be_augmented_are_told_before_training(tmp_path: Path) -> None:
    pipeline = [dict(type='BaseTransformsThatDoNotExist')]
    normalises = [dict(type='Normalize', mean=[1.0], std=[2.0]), dict(type='PackInputs')]
    for steps, words in ((normalises, 'uint8 images of one size, got float32'), (pipeline, 'pipeline does not fit')):
        stages = [dict(name='one', epochs=1), dict(name='two', epochs=1, pipeline=steps)]
        with pytest.raises(ConfigError, match=words):
            train_model(config(tmp_path / 'run', stages, augments=FLIP))
        assert not (tmp_path / 'run').exists()


def test_plan_names_them(tmp_path: Path) -> None:
    plan = describe_run(config(tmp_path, PLAN, augments=FLIP))
    assert [stage['augments'] for stage in plan['stages']] == [FLIP, [], UPSIDE_DOWN, FLIP]
    rows = [stage_rows(stage, plan).get('augments') for stage in plan['stages']]
    assert rows == ['BatchFlip(prob=1)', None, "BatchFlip(prob=1, direction='vertical')", 'BatchFlip(prob=1)']
    assert stage_changes(PLAN[1]) == {'augments': 'none'}


TWICE = r'augments every image twice alike: by {} in the pipeline.*by {} in data_preprocessor.augments.*augments=None'


@pytest.mark.parametrize(
    ('augments', 'pipeline', 'stages', 'twice'),
    [
        (FLIP, ['RandomFlip'], [], ('RandomFlip', 'BatchFlip')),
        (FLIP, ['mmdrl.SquareCutout', 'mmpretrain.RandomFlip'], [], ('RandomFlip', 'BatchFlip')),
        (FLIP, ['RandomResizedCrop', 'SquareCutout'], [], None),
        (None, ['RandomFlip'], [], None),
        (None, ['RandomFlip'], [dict(augments=FLIP)], ('RandomFlip', 'BatchFlip')),
        (FLIP, ['RandomFlip'], [dict(augments=[]), dict(pipeline=[])], None),
        (FLIP, [], [dict(), dict(pipeline=[dict(type='RandomFlip')])], ('RandomFlip', 'BatchFlip')),
        (
            [dict(type='mmdrl.BatchAutoAugment')],
            ['mmdrl.AutoAugmentPolicy'],
            [],
            ('AutoAugmentPolicy', 'BatchAutoAugment'),
        ),
    ],
)
def test_images_augmented_twice_alike_are_told(augments: Any, pipeline: Any, stages: Any, twice: Any) -> None:
    steps = [dict(type=kind) for kind in pipeline]
    cfg = Config(
        dict(
            data_preprocessor=dict(augments=augments),
            train_dataloader=dict(dataset=dict(type='A', dataset=dict(type='B', pipeline=steps))),
            default_hooks=dict(stages=dict(type='mmdrl.TwoStageHook', stages=stages)),
        )
    )
    if twice is None:
        check_augmented_once(cfg)
        return
    with pytest.raises(ConfigError, match=TWICE.format(*twice)):
        check_augmented_once(cfg)


def test_augments_that_nothing_reads_are_told() -> None:
    """MMEngine takes a preprocessor of the model in place of the config's, and merges nothing."""
    own = dict(type='mmdrl.RemixDataPreprocessor', num_classes=3)
    cfg = Config(dict(data_preprocessor=dict(augments=FLIP), model=dict(data_preprocessor=own)))
    with pytest.raises(ConfigError, match=r'model\.data_preprocessor takes the place of data_preprocessor.*augments'):
        check_augmented_once(cfg)
    cfg.model.data_preprocessor.augments = None
    check_augmented_once(cfg)


def test_run_and_plan_both_tell_what_is_augmented_twice(tmp_path: Path) -> None:
    cfg = config(tmp_path, PLAN[:1], augments=FLIP)
    cfg.train_dataloader.dataset.dataset.pipeline = [dict(type='RandomFlip', prob=0.5), dict(type='PackInputs')]
    for tell in (describe_run, train_model):
        with pytest.raises(ConfigError, match='twice alike'):
            tell(cfg)
