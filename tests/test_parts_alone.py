"""Each part of ours alone in an otherwise plain MMPretrain run, with the hooks that ``docs/downstream.md`` asks for."""

from pathlib import Path
from typing import Any

import pytest
from foreign_networks import make_runner
from mmengine.runner import Runner

from mmdrl.errors import ConfigError

pytestmark = [pytest.mark.slow, pytest.mark.host]
COUNTS = [4, 2, 2]
COUNTED = ['BalancedSoftmaxLoss', 'LogitAdjustedLoss', 'LDAMLoss', 'ClassBalancedLoss']
STAGES = [
    dict(name='all', epochs=1),
    dict(
        name='classifier',
        epochs=1,
        sampler=dict(type='mmdrl.ClassAwareSampler'),
        freeze=['backbone'],
        reset=['head.fc'],
    ),
]


def plain(
    folder: Path,
    hooks: tuple[str, ...] = (),
    loss: dict[str, Any] | None = None,
    kind: str = 'LinearClsHead',
    **changes: Any,
) -> Runner:
    """A runner whose head is MMPretrain's, with no hook of ours but these."""
    head = dict(_delete_=True, type=kind, num_classes=3, in_channels=64, loss=loss or dict(type='CrossEntropyLoss'))
    changes = dict(model=dict(head=head), val_evaluator=[dict(type='Accuracy')]) | changes
    runner = make_runner(folder, 'resnet', **changes)
    extra = {'ClassCountsHook', 'CentroidHook'} - set(hooks)
    runner._hooks = [hook for hook in runner.hooks if type(hook).__name__ not in extra]
    return runner


def measures(runner: Runner) -> dict[str, float]:
    runner.train()
    return {name: scalar.current() for name, scalar in runner.message_hub.log_scalars.items()}


@pytest.mark.parametrize('kind', ['LinearClsHead', 'ArcFaceClsHead'])
@pytest.mark.parametrize('name', COUNTED)
def test_losses_by_class_counts_serve_heads_of_mmpretrain(name: str, kind: str, tmp_path: Path) -> None:
    loss = dict(type=f'mmdrl.{name}', num_classes=3)
    by_hook = measures(plain(tmp_path, ('ClassCountsHook',), loss, kind))['train/loss']
    given = measures(plain(tmp_path, (), dict(loss, class_counts=COUNTS), kind, work_dir=str(tmp_path / 'given')))
    assert by_hook == given['train/loss'] > 0


@pytest.mark.parametrize('name', COUNTED)
def test_a_loss_that_nobody_tells_the_counts_says_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f'{name} does not know the training images per class. Add'):
        plain(tmp_path, (), dict(type=f'mmdrl.{name}', num_classes=3)).train()


def test_shot_accuracy_takes_counts_from_the_hook_or_from_the_config(tmp_path: Path) -> None:
    metric = dict(type='mmdrl.ShotAccuracy', many=3, few=3)
    by_hook = measures(plain(tmp_path, ('ClassCountsHook',), val_evaluator=[metric]))
    work_dir = str(tmp_path / 'given')
    given = measures(plain(tmp_path, val_evaluator=[dict(metric, class_counts=COUNTS)], work_dir=work_dir))
    assert by_hook['val/many'] == given['val/many']
    assert by_hook['val/few'] == given['val/few']


def test_shot_accuracy_that_nobody_tells_the_counts_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='ShotAccuracy needs the training images per class'):
        plain(tmp_path, val_evaluator=[dict(type='mmdrl.ShotAccuracy')]).train()


@pytest.mark.parametrize(
    'changes',
    [
        dict(train_dataloader=dict(sampler=dict(_delete_=True, type='mmdrl.ClassAwareSampler'))),
        dict(train_cfg=dict(_delete_=True, type='mmdrl.ResumableEpochLoop', max_epochs=2)),
        dict(default_hooks=dict(summary=dict(type='mmdrl.SummaryHook'), progress=dict(type='mmdrl.ProgressHook'))),
        dict(default_hooks=dict(stages=dict(type='mmdrl.TwoStageHook', stages=STAGES))),
    ],
    ids=['sampler', 'loop', 'summary and progress', 'stages'],
)
def test_others_need_no_further_hook(changes: dict[str, Any], tmp_path: Path) -> None:
    assert 0 <= measures(plain(tmp_path, **changes))['val/accuracy/top1'] <= 100


def test_drhead_without_the_loss_needs_no_hook_to_classify_and_one_for_the_nearest_mean(tmp_path: Path) -> None:
    head = dict(_delete_=True, type='mmdrl.DRHead', num_classes=3, in_channels=64)
    assert 0 <= measures(plain(tmp_path, model=dict(head=dict(head))))['val/accuracy/top1'] <= 100
    metric = dict(type='mmdrl.ShotAccuracy', classifier='ncm', class_counts=COUNTS)
    settings = dict(model=dict(head=head), val_evaluator=[metric], work_dir=str(tmp_path / 'ncm'))
    assert 0 <= measures(plain(tmp_path, ('CentroidHook',), **settings))['val/all'] <= 100
