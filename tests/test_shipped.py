"""Configs by path and by name."""

from pathlib import Path

import pytest
from command import ROOT

from mmdrl import shipped
from mmdrl.engine.config import load_config
from mmdrl.errors import ConfigError
from mmdrl.shipped import find_config, is_config, shipped_configs, shipped_folder

CONFIGS = ROOT / 'configs'
ROW = CONFIGS / 'digits_lt/drl_r8_digits-lt-ir50.py'

pytestmark = pytest.mark.host


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    'name',
    [
        str(ROW),
        'drl_r8_digits-lt-ir50.py',
        'drl_r8_digits-lt-ir50',
        'mmdrl::digits_lt/drl_r8_digits-lt-ir50.py',
        'mmdrl::digits_lt/drl_r8_digits-lt-ir50',
        'mmdrl::drl_r8_digits-lt-ir50',
    ],
)
def test_all_ways_to_name_a_config_lead_to_the_same_file(empty: Path, name: str) -> None:
    assert find_config(name).samefile(ROW)
    cfg = load_config(name)
    assert cfg.work_dir == 'work_dirs/drl_r8_digits-lt-ir50'
    assert cfg.model.head.type == 'mmdrl.DRHead'
    assert is_config(name)


@pytest.mark.parametrize('name', ['drl_r8_digits-lt.py', 'mmdrl::drl_r8_digits-lt.py'])
def test_alias_goes_by_name_too(empty: Path, name: str) -> None:
    assert find_config(name).samefile(CONFIGS / 'drl_r8_digits-lt.py')


def test_every_config_that_can_be_trained_has_its_name_and_no_part_has() -> None:
    paths = [path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts]
    assert len({path.stem for path in paths}) == len(paths)
    assert {name: path.resolve() for name, path in shipped_configs().items()} == {path.stem: path for path in paths}


def test_file_of_ones_own_comes_before_a_config_of_that_name(empty: Path) -> None:
    (empty / 'drl_r8_digits-lt.py').write_text("work_dir = 'mine'\n")
    assert load_config('drl_r8_digits-lt.py').work_dir == 'mine'


def test_parts_go_by_folder(empty: Path) -> None:
    assert find_config('mmdrl::_base_/default_runtime.py').samefile(CONFIGS / '_base_/default_runtime.py')


def test_config_of_mmpretrain_is_found_by_mmengine(empty: Path) -> None:
    cfg = load_config('mmpretrain::resnet/resnet18_8xb32_in1k.py')
    assert cfg.model.backbone.depth == 18
    assert cfg.work_dir == 'work_dirs/resnet18_8xb32_in1k'


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('drl_r8_digit-lt.py', r'name of a config.*drl_r8_digits-lt\.py'),
        ('mmdrl::digits_lt/drl_r8_digits-lt-ir5', r'name of a config.*drl_r8_digits-lt-ir50\.py'),
        ('configs/drl_r8_digits-lt.py', r'at configs/drl_r8_digits-lt\.py, found none.*: drl_r8_digits-lt\.py'),
        ('elephant', r'name of a config of mmdrl, found neither\. `mim search mmdrl --valid-config` lists'),
        ('mmdrl::elephant/x.py', r'found neither\. `mim search'),
        ('mmpretrain::resnet/elephant.py', r'mmpretrain::resnet/elephant\.py cannot be read.*does not exist'),
        ('mmdet::resnet/elephant.py', r'Expected mmdet to be installed'),
        ('mmpretrain::elephant', r'mmpretrain::elephant cannot be read'),
    ],
)
def test_unknown_name_is_refused_with_what_is_similar(empty: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(name)


def test_list_of_images_is_no_config(empty: Path) -> None:
    (empty / 'drl_r8_digits-lt').touch()
    assert not is_config('drl_r8_digits-lt')
    assert not is_config('train.txt')


def test_source_tree_that_is_not_installed_has_its_parts_beside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, '__file__', str(tmp_path / 'mmdrl/shipped.py'))
    assert shipped_folder() is None
    with pytest.raises(ConfigError, match='lacks its configs'):
        find_config('drl_r8_digits-lt.py')
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'model-index.yml').touch()
    assert shipped_folder() == tmp_path
    (tmp_path / 'mmdrl/.mim/configs').mkdir(parents=True)
    (tmp_path / 'mmdrl/.mim/model-index.yml').touch()
    assert shipped_folder() == tmp_path / 'mmdrl/.mim'
