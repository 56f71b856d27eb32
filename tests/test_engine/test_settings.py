"""The table of settings refuses nothing that would work; what it refuses is in test_bad_input_table_configs.py."""

from pathlib import Path

import mmpretrain
import pytest
from mmengine.config import Config

from mmdrl.engine.combinations import check_runner
from mmdrl.engine.settings import check_settings


@pytest.mark.parametrize(
    'settings',
    [
        dict(param_scheduler=dict(type='LinearLR', begin=0.5, end=2.5, convert_to_iter_based=True)),
        dict(param_scheduler=[dict(type='MultiStepLR', milestones=(1.5, 2.5), convert_to_iter_based=True)]),
        dict(param_scheduler=dict(backbone=[dict(type='StepLR', step_size=3)], head=[dict(type='ConstantLR')])),
        dict(optim_wrapper=dict(constructor='Own', backbone=dict(optimizer=dict(type='SGD', lr=0.1)))),
        dict(optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1), clip_grad=dict(max_norm=float('inf')))),
        dict(log_level=15),
        dict(val_evaluator=[dict(type='Accuracy'), dict(type='ConfusionMatrix')], custom_hooks=[]),
    ],
)
def test_setting_that_MMEngine_can_work_with_is_taken(settings: dict) -> None:
    check_settings(Config(settings))


def test_configs_of_MMPretrain_are_taken() -> None:
    folder = Path(mmpretrain.__file__).parent / '.mim/configs'
    paths = sorted(path for path in folder.rglob('*.py') if '_base_' not in path.parts and 'replknet' not in path.name)
    assert len(paths) > 300
    for path in paths[::20]:
        cfg = Config.fromfile(path, import_custom_modules=False)
        check_settings(cfg)
        check_runner(cfg)
