"""Every config builds; names follow the rules that mim and MMEngine need."""

from collections import Counter
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

from mmdrl.engine.config import LOADERS
from mmdrl.engine.preflight import check_data_paths
from mmdrl.engine.stage_plan import StagePlan
from mmdrl.errors import DataError

pytestmark = pytest.mark.host
ROOT = Path(__file__).parents[1] / 'configs'
CONFIGS = sorted(path for path in ROOT.rglob('*.py') if '_base_' not in path.parts)


def test_there_are_configs() -> None:
    assert ROOT / 'drl_r50_imagenet-lt.py' in CONFIGS
    assert ROOT / 'drl_r8_digits-lt.py' in CONFIGS


def test_no_two_configs_share_a_name() -> None:
    """mim finds a config by its file name and stops at the second."""
    assert [name for name, count in Counter(path.name for path in ROOT.rglob('*.py')).items() if count > 1] == []


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_model_builds_and_stages_fit_the_run(path: Path) -> None:
    cfg = Config.fromfile(path)
    assert cfg.default_scope == 'mmpretrain'
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    assert model.head.num_classes == cfg.model.head.num_classes
    if 'stages' in cfg.default_hooks:
        StagePlan(cfg.default_hooks.stages.stages).check_fits(cfg.train_cfg.max_epochs)


WITH_FILES = [path for path in CONFIGS if 'data_root' in Config.fromfile(path).train_dataloader.dataset]


@pytest.mark.parametrize('path', WITH_FILES, ids=lambda path: path.stem)
def test_missing_data_is_named_with_the_option_that_changes_it(path: Path, tmp_path: Path) -> None:
    cfg = Config.fromfile(path)
    for loader in LOADERS:
        cfg[loader].dataset.data_root = str(tmp_path / 'nowhere')
        with pytest.raises(DataError, match=rf'nowhere.*{loader}\.dataset\.data_root'):
            check_data_paths(cfg, (loader,))


@pytest.mark.parametrize('path', [path for path in CONFIGS if path.parent == ROOT], ids=lambda path: path.stem)
def test_alias_at_the_top_adds_nothing(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith('#')]
    assert len(lines) == 1
    assert lines[0].startswith('_base_ = ')


ROWS = [
    row
    for metafile in yaml.safe_load((ROOT.parent / 'model-index.yml').read_text())['Import']
    for row in yaml.safe_load((ROOT.parent / metafile).read_text())['Models']
]


@pytest.mark.parametrize('row', ROWS, ids=lambda row: row['Name'])
def test_row_of_the_model_index_is_a_config_of_that_name_and_size(row: dict) -> None:
    path = ROOT.parent / row['Config']
    assert path.stem == row['Name'] == row['Name'].lower()  # mim searches in lower case
    cfg = Config.fromfile(path)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    assert sum(p.numel() for p in model.parameters()) == row['Metadata']['Parameters']


def test_every_metafile_is_in_the_model_index() -> None:
    imported = yaml.safe_load((ROOT.parent / 'model-index.yml').read_text())['Import']
    assert {ROOT.parent / name for name in imported} == set(ROOT.rglob('metafile.yml'))
