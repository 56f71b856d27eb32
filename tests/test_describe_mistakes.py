"""What a dry run does without data, and with a config that does not fit: it ends in the sentence of training."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command import ROOT
from digits_run import short_config
from dry_plan import DIGITS, RELEASED, described, printed

from mmdrl.engine.config import load_config
from mmdrl.engine.describe import describe_run
from mmdrl.engine.run import train_model
from mmdrl.errors import ConfigError, MMDRLError


def test_missing_data_leave_open_what_only_they_tell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = described(RELEASED)
    assert plan['iterations'] is None
    # 50,000 draws in batches of 128.
    assert [stage['iterations_per_epoch'] for stage in plan['stages']] == [None, 391, 391]
    assert set(plan['unread']) == {'train_dataloader', 'val_dataloader'}
    page = printed(plan, 'run', 100)
    assert '? iterations' in page
    assert 'prepare_data.py cifar100' in page
    assert 'Expected the data set in the folder data/imagenet' in printed(
        described('configs/drl_r50_imagenet-lt.py'), 'r', 500
    )
    # num_samples='images' of images that were not read.
    assert {stage['iterations'] for stage in described('configs/drl_r50_imagenet-lt.py')['stages']} == {None}
    assert list(tmp_path.iterdir()) == []


def test_schedule_by_iterations_of_unknown_epochs_stays_open(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = load_config(str(ROOT / 'configs/cifar100_lt/la_r32_cifar100-lt-ir100.py'))
    cfg.param_scheduler = [dict(type='LinearLR', start_factor=0.5, by_epoch=False, end=100)]
    assert describe_run(cfg)['stages'][0]['lr'] == dict(first=0.05, last=None, highest=None, lowest=None)


class Fetched:
    """Fetches what is missing unless told not to, as data sets of MMPretrain and torchvision do."""

    def __init__(self, root: str, download: bool = True):
        if not download:
            raise RuntimeError(f'Nothing in {root}')
        (Path(root) / 'images').touch()


def test_nothing_is_fetched(tmp_path):
    cfg = load_config(str(ROOT / 'configs/ce_r8_digits-lt.py'))
    cfg.train_dataloader.dataset.dataset = dict(type=Fetched, root=str(tmp_path))
    plan = describe_run(cfg)
    assert plan['iterations'] is None
    assert plan['unread'] == dict(train_dataloader=f'Nothing in {tmp_path}')
    assert list(tmp_path.iterdir()) == []


MISTAKES = [
    ({'default_hooks.stages.stages.0.nmae': 'x'}, 'got nmae'),
    ({'default_hooks.stages.stages.2.freeze': ['backbon']}, "'backbon' must match"),
    ({'default_hooks.stages.stages.2.freeze': ['backbone', 'head']}, 'leaves nothing to learn'),
    ({'default_hooks.stages.stages.0.epochs': 3}, 'The stages last 3 . 2 . 1 = 6 epochs'),
    ({'default_hooks.stages.stages.1.loss_weights': dict(loss_x=1.0)}, 'got loss_x'),
    ({'default_hooks.stages.stages.1.loss': dict(type='NoSuchLoss')}, 'NoSuchLoss'),
    ({'default_hooks.stages.stages.1.head': dict(num_classes=7)}, 'num_classes=7, the one before 10'),
    ({'default_hooks.stages.stages.1.mixing': False}, 'mixing=False switches nothing off'),
    ({'default_hooks.stages.stages.1.load_best': 'all'}, 'load_best'),
    ({'default_hooks.stages.stages.1.optim_wrapper': dict(optimizer=dict(type='NoSuch'))}, 'NoSuch'),
    ({'default_hooks.stages.stages.1.sampler': dict(type='mmdrl.ClassAwareSampler', each=4)}, 'each'),
    ({'model.head.num_classes': 7}, 'num_classes is 7'),
    ({'model.head.classifier': dict(type='NoSuchClassifier')}, 'NoSuchClassifier'),
    ({'default_hooks.class_counts': None}, 'ClassCountsHook'),
    ({'train_dataloader.dataset.imbalance_ratio': 0.5}, 'imbalance_ratio'),
    ({'train_dataloader.dataset.holdout_per_class': 5000}, '5000'),
    ({'param_scheduler.0.type': 'NoSuchLR'}, 'NoSuchLR'),
]


@pytest.mark.parametrize(('changes', 'message'), MISTAKES, ids=lambda value: value if isinstance(value, str) else '')
def test_mistake_ends_in_the_sentence_of_training(tmp_path, changes, message):
    def prepared() -> Any:
        cfg = short_config(tmp_path / 'run', **changes)
        cfg.experiment_name = str(id(cfg))  # MMEngine keeps its loggers by name
        hooks = cfg.default_hooks
        for name in [name for name, hook in hooks.items() if hook is None]:
            del hooks[name]
        return cfg

    with pytest.raises(MMDRLError, match=message) as dry:
        describe_run(prepared())
    with pytest.raises(MMDRLError) as wet:
        train_model(prepared())
    assert str(dry.value) == re.sub(r' in <.*?>', '', str(wet.value))  # MMEngine names the object of the hook
    assert type(dry.value) is type(wet.value)


@pytest.mark.parametrize('key', ['train_dataloader', 'train_cfg', 'optim_wrapper'])
def test_config_that_trains_nothing_says_so(key):
    cfg = load_config(str(ROOT / DIGITS))
    cfg[key] = None
    with pytest.raises(ConfigError, match=f'it has no {key}'):
        describe_run(cfg)


def test_config_and_folder_stay_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = load_config(str(ROOT / DIGITS))
    before = cfg.to_dict()
    first = describe_run(cfg)
    assert describe_run(cfg) == first
    assert cfg.to_dict() == before
    assert list(tmp_path.iterdir()) == []
    assert json.loads(json.dumps(first)) == first
