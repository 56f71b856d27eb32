"""A table of mistakes inside a later stage: they show before the first epoch, not hours later."""

from pathlib import Path

import pytest
from refusals import TRAIN, Said, command, refuse, write_config

pytestmark = pytest.mark.faults
PACK = "dict(type='PackInputs')"

# Settings of the second stage of three.
STAGES = {
    "pipeline=[dict(type='NoTransform'), dict(type='PackInputs')]": Said(
        "Stage 'feature': the pipeline does not fit", 'NoTransform is not in', 'check whether the value'
    ),
    f"pipeline=[dict(type='RandomCrop', crop=8), {PACK}]": Said(
        "Stage 'feature': the pipeline does not fit: RandomCrop", "keyword argument 'crop'", 'keeps its keys'
    ),
    "pipeline=[dict(type='RandomCrop', crop_size=8, padding=1)]": Said(
        "Stage 'feature': its pipeline must end with PackInputs", 'got img, gt_label', 'Add it at the end'
    ),
    f"pipeline=[dict(type='ResizeEdge', scale=-3), {PACK}]": Said(
        "Stage 'feature': its pipeline fails on the first image", 'error', 'Mend its settings'
    ),
    f"pipeline=[dict(type='LoadImageFromFile'), {PACK}]": Said(
        "Stage 'feature': its pipeline fails on the first image", "KeyError: 'img_path'", 'Mend its settings'
    ),
    'pipeline=[]': Said("Stage 'feature': pipeline has no transform", 'at least PackInputs', 'Leave it out'),
    "param_scheduler=[dict(type='NoLR')]": Said("Stage 'feature': optimiser or schedule", 'NoLR is not in', 'check'),
    "param_scheduler=[dict(type='CosineAnnealingLR', T_max=0)]": Said(
        r'stages\.1\.param_scheduler\.0\.T_max must be a number above 0', 'got 0', 'Mend it in the config'
    ),
    "param_scheduler=[dict(type='MultiStepLR', milestones=['a'])]": Said(
        'milestones must be a list of numbers', r"got \['a'\]", 'Mend it in the config'
    ),
    "param_scheduler=[dict(type='StepLR', step_size=-1)]": Said(
        'step_size must be a number above 0', 'got -1', 'Mend it in the config'
    ),
    "param_scheduler=[dict(type='PolyLR', power='x', by_epoch=False)]": Said(
        "Stage 'feature': PolyLR fails on its first steps", 'TypeError', 'Mend its settings'
    ),
    'lr=-1': Said("Stage 'feature': lr and loss_weights must be finite numbers, at least 0", 'got lr=-1'),
    "lr=float('nan')": Said("Stage 'feature': lr and loss_weights must be finite numbers", 'got lr=nan'),
    "lr='x'": Said("Stage 'feature': lr must be a float or int", "got 'x'"),
    "optim_wrapper=dict(optimizer=dict(type='SDG'))": Said(
        "Stage 'feature': optimizer must name a registered optimiser, such as SGD", "got type='SDG'"
    ),
    'optim_wrapper=dict(optimizer=dict(momentum=-1))': Said(
        "Stage 'feature': optimiser or schedule do not fit", 'Invalid momentum value: -1', 'Mend its optim_wrapper'
    ),
    "sampler=dict(type='mmdrl.ClassAwareSampler', num_samples=0)": Said(
        "num_samples must be a whole number of at least 1, 'images' or None", 'got 0'
    ),
    "sampler=dict(type='DefaultSampler', shufle=True)": Said(
        "Stage 'feature': the sampler does not fit", "keyword argument 'shufle'", 'keeps its keys'
    ),
    "loss=dict(type='CrossEntropyLoss', loss_weight='x')": Said(
        "Stage 'feature': CrossEntropyLoss fails on labels of 10 classes", 'TypeError', 'Mend its settings'
    ),
    "loss=dict(type='CrossEntropyLoss', class_weight=[1.0, 2.0])": Said(
        "Stage 'feature': CrossEntropyLoss fails on labels of 10 classes", 'weight', 'Mend its settings'
    ),
    "head=dict(type='LinearClsHead')": Said(
        "Stage 'feature': the head cannot be built", "keyword argument 'centroids'", 'unless it has _delete_=True'
    ),
    'head=dict(in_channels=32)': Said('one of the same classes and features', 'in_channels=32, the one before 64'),
    "freeze=['nothing']": Said('must match the name of a module, such as', "'nothing'", 'backbone, neck, head'),
    "reset=['neck']": Said('has nothing that could be initialised anew', "reset='neck'", 'Leave it out'),
    "load_best=dict(metric='all', rule='most')": Said("must be 'greater' or 'less'", "got 'most'"),
    "load_best='all'": Said("needs a validation in stage 'warm-up'", 'there is none', r'Set train_cfg\.val_begin'),
}
SECOND = "default_hooks['stages']['stages'][1] = dict(name='feature', epochs=1, {})\n"


@pytest.mark.parametrize('settings', STAGES)
def test_mistake_in_a_later_stage_is_refused_before_training(tmp_path: Path, settings: str) -> None:
    write_config(tmp_path, SECOND.format(settings))
    refuse('train', TRAIN, STAGES[settings], tmp_path)


@pytest.mark.parametrize('settings', list(STAGES)[2:5])
def test_dry_run_finds_it_too(tmp_path: Path, settings: str) -> None:
    write_config(tmp_path, SECOND.format(settings))
    refuse('analysis/describe', ['mine.py'], STAGES[settings], tmp_path)


def test_stage_that_fits_is_described(tmp_path: Path) -> None:
    """Schedules without T_max end with their stage; what is tried leaves losses and rates as they are."""
    settings = "lr=0.05, param_scheduler=[dict(type='CosineAnnealingLR')], loss=dict(type='SeesawLoss')"
    write_config(tmp_path, SECOND.format(settings))
    status, text = command('analysis/describe', 'mine.py', '--json', 'plan.json', cwd=tmp_path)
    assert status == 0, text
    assert '"first": 0.05' in (tmp_path / 'plan.json').read_text()


def test_loss_of_scores_fits_a_stage_that_mixes_no_images_where_labels_are_scores_anyway(tmp_path: Path) -> None:
    """``to_onehot`` of the config outlasts the mixing."""
    model = (
        'model = dict(data_preprocessor=dict(to_onehot=True, num_classes=10),\n'
        "    train_cfg=dict(augments=dict(type='Mixup', alpha=0.8)))\n"
        "for stage in default_hooks['stages']['stages']:\n"
        "    stage['mixing'] = False\n"
        "    stage['loss'] = dict(type='CrossEntropyLoss', use_soft=True)\n"
    )
    write_config(tmp_path, model)
    status, text = command('analysis/describe', 'mine.py', cwd=tmp_path)
    assert status == 0, text
