"""CIFAR-LT configs: two iterations through the tool, on generated data in both forms."""

import json
from pathlib import Path

import pytest
from command import ROOT, tool
from miniature_cifar import noise, write_arrays, write_pickles
from refusals import command

pytestmark = pytest.mark.slow

CONFIG = """
_base_ = ['{root}/configs/_base_/datasets/cifar{num_classes}_lt.py', '{root}/configs/_base_/default_runtime.py']
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmdrl.ResNet8', in_channels=3),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='mmdrl.DRHead',
        num_classes={num_classes},
        in_channels=64,
        centroids=dict(mode='running'),
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
train_cfg = dict(by_epoch=True, max_epochs=1, val_interval=1)
default_hooks = dict(logger=dict(interval=1), summary=dict(figures=False))
train_dataloader = dict(num_workers=1, dataset=dict(imbalance_ratio={ratio}, dataset=dict(check_numbers=False)))
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(check_numbers=False))
test_dataloader = val_dataloader
"""


@pytest.mark.parametrize(
    ('num_classes', 'per_class', 'ratio', 'images', 'write'),
    [
        (10, 40, 8, 171, write_pickles),  # 40 31 25 20 15 12 10 7 6 5
        (100, 3, 3, 138, write_arrays),  # 3, then 36 times 2, then 63 times 1
    ],
)
def test_two_iterations_of_training(
    tmp_path: Path, num_classes: int, per_class: int, ratio: int, images: int, write
) -> None:
    for split in ('train', 'test'):
        write(tmp_path / 'data/cifar', num_classes, split, *noise(num_classes, per_class))
    config = tmp_path / 'mine.py'
    config.write_text(CONFIG.format(root=ROOT, num_classes=num_classes, ratio=ratio))
    answer = tool('train', config, '--gpus', 0, cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    assert '[2/2]' in answer.stdout
    found = json.loads((tmp_path / 'work_dirs/mine/results.json').read_text())
    assert sum(found['class_counts']) == images
    assert (found['class_counts'][0], found['class_counts'][-1]) == (per_class, per_class // ratio)
    assert {'many', 'all', 'ncm/all'} <= set(found['metrics'])


def test_missing_data_are_named_before_training(tmp_path: Path) -> None:
    config = tmp_path / 'mine.py'
    config.write_text(CONFIG.format(root=ROOT, num_classes=100, ratio=100))
    status, text = command('train', config, '--gpus', 0, cwd=tmp_path)
    assert status == 1
    last = text.strip().splitlines()[-1]
    assert last.startswith('error: ')
    for words in ('data/cifar/cifar100_train.npz', 'data/cifar/cifar-100-python', 'prepare_data.py cifar100'):
        assert words in last
