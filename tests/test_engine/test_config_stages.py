"""Stages at the top level of a config, where nothing reads them, are taken by a hook or refused."""

from pathlib import Path

import pytest
from command import ROOT

from mmdrl.engine.config import load_config
from mmdrl.errors import ConfigError

DRL = f"_base_ = ['{(ROOT / 'configs/cifar100_lt/drl_r32_cifar100-lt-ir100.py').as_posix()}']\n"
ONE = "[dict(name='only', epochs=200)]"
DOCUMENTED = f"stages = {ONE}\ndefault_hooks = dict(stages=dict(type='mmdrl.TwoStageHook', stages=stages))\n"


def written(tmp_path: Path, text: str, name: str = 'own.py') -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def epochs(config: str, *options: str) -> list[int]:
    cfg = load_config(config, list(options))
    assert 'stages' not in cfg, 'a stale copy in the config that the run writes down'
    return [stage.epochs for stage in cfg.default_hooks.stages.stages]


@pytest.mark.parametrize('change', [f'stages = {ONE}', f'stages = dict(stages={ONE})', f'stages={ONE}'])
def test_stages_that_would_change_nothing_are_refused(tmp_path: Path, change: str) -> None:
    with pytest.raises(ConfigError, match=r'own\.py has stages.*default_hooks=dict\(stages=dict\(stages='):
        load_config(written(tmp_path, DRL + change))


def test_overrides_that_would_change_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match=r'Nothing reads stages.*default_hooks\.stages\.stages\.0'):
        load_config('drl_r32_cifar100-lt.py', ['stages.stages.0.epochs=20'])


def test_ways_that_do_change_stages_are_taken(tmp_path: Path) -> None:
    inherited = written(tmp_path, f'{DRL}default_hooks = dict(stages=dict(stages={ONE}))', 'inherited.py')
    assert epochs(inherited) == [200]
    assert epochs('drl_r32_cifar100-lt.py', 'default_hooks.stages.stages.0.epochs=20') == [20, 60, 20]


def test_a_config_can_leave_out_the_stages_that_it_inherits(tmp_path: Path) -> None:
    for name, given in (('file.py', ()), ('option.py', ['default_hooks.stages=None'])):
        text = DRL if given else f'{DRL}default_hooks = dict(stages=None)'
        cfg = load_config(written(tmp_path, text, name), given)
        assert 'stages' not in cfg.default_hooks
        assert 'stages' not in cfg


def test_stages_that_a_config_hands_to_its_hook_itself_are_taken(tmp_path: Path) -> None:
    """As docs/stages.md writes them; and a config that inherits this one may change the hook's alone."""
    assert epochs(written(tmp_path, DRL + DOCUMENTED), 'default_hooks.stages.stages.0.epochs=9') == [9]
    child = "_base_ = ['own.py']\ndefault_hooks = dict(stages=dict(stages=[dict(name='new', epochs=3)]))"
    assert epochs(written(tmp_path, child, 'child.py')) == [3]


def test_config_that_a_run_has_written_down_loads_again(tmp_path: Path) -> None:
    cfg = load_config('drl_r32_cifar100-lt.py', ['default_hooks.stages.stages.0.epochs=20'])
    cfg.dump(tmp_path / 'dumped.py')
    assert epochs(str(tmp_path / 'dumped.py')) == [20, 60, 20]
