"""Every config builds; names follow the rules that mim and MMEngine need."""

import math
import re
from collections import Counter
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS, PARAM_SCHEDULERS

from mmdrl.engine.config import LOADERS
from mmdrl.engine.preflight import check_data_paths
from mmdrl.engine.stages import StagePlan
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


PAGE_ROWS = [
    pytest.param(page.parent / name, columns.split(' | '), id=name.removesuffix('.py'))
    for page in sorted(ROOT.glob('*/README.md'))
    for name, columns in re.findall(r'^\| `(\S+\.py)` \| (.*) \|$', page.read_text(), re.MULTILINE)
]


def test_every_config_has_a_row_in_the_readme_of_its_folder() -> None:
    rows = Counter(row.values[0] for row in PAGE_ROWS)
    assert rows == Counter(path for path in CONFIGS if path.parent != ROOT)


@pytest.mark.parametrize(('path', 'columns'), PAGE_ROWS)
def test_row_of_a_readme_tells_the_epochs_and_a_command_that_fits(path: Path, columns: list[str]) -> None:
    cfg = Config.fromfile(path)
    stages = cfg.default_hooks.get('stages', {}).get('stages', [])
    epochs = [int(number) for number in columns[1].split(' + ')]
    assert epochs == ([stage.epochs for stage in stages] or [cfg.train_cfg.max_epochs])
    assert sum(epochs) == cfg.train_cfg.max_epochs
    target = ROOT.parent / re.fullmatch(r'`mim train mmdrl (\S+) --gpus \d`', columns[2])[1]
    assert Config.fromfile(target).to_dict() == cfg.to_dict()  # itself, or its alias


def rates(cfg: Config, epochs: int) -> list[float]:
    """Learning rate of every epoch under the config's own schedules."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=cfg.optim_wrapper.optimizer.lr)
    schedulers = [PARAM_SCHEDULERS.build(dict(entry, optimizer=optimizer)) for entry in cfg.param_scheduler]
    found = []
    for _ in range(epochs):
        found.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return found


def test_rates_of_the_first_released_stage_are_those_of_the_released_code() -> None:
    """Five epochs up to 0.1, and a hundredth after 160 and again after 180."""
    cfg = Config.fromfile(ROOT / 'cifar100_lt/drl-released_r32_cifar100-lt-ir100.py')
    expected = [0.02, 0.04, 0.06, 0.08] + [0.1] * 156 + [1e-3] * 20 + [1e-5] * 20
    assert rates(cfg, cfg.default_hooks.stages.stages[0].epochs) == pytest.approx(expected)


def test_released_protocol_has_the_numbers_of_the_released_code() -> None:
    """Defaults of its main.py, and the command in its README: -b 128 --feat_lr 0.005 --cls_lr 0.01 --temperature 1."""
    cfg = Config.fromfile(ROOT / 'cifar100_lt/drl-released_r32_cifar100-lt-ir100.py')
    assert cfg.optim_wrapper.optimizer == dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4)
    assert cfg.train_dataloader.batch_size == 128
    first, feature, classifier = cfg.default_hooks.stages.stages
    assert (first.get('lr'), feature.lr, classifier.lr) == (None, 0.005, 0.01)
    assert 'param_scheduler' not in {**feature, **classifier}  # constant
    assert feature.sampler == classifier.sampler
    assert feature.sampler.samples_per_class == 4
    assert feature.sampler.num_samples == 500 * 100  # size of the largest class times classes
    assert feature.loss == dict(type='mmdrl.ClassBalancedLoss', class_weight='relative', average='weights')
    assert (feature['freeze'], classifier['freeze']) == (['head.fc'], ['backbone'])
    loss = cfg.model.head.dr_loss
    assert (loss.scope, loss.margin, loss.temperature, loss.loss_weight) == ('class', 1, 1, 1)
    assert loss.radius == dict(type='mmdrl.LearnedRadius', init=1.0)
    in_unit_range = [[value / 255 for value in cfg.data_preprocessor[key]] for key in ('mean', 'std')]
    assert in_unit_range[0] == pytest.approx([0.4914, 0.4822, 0.4465])
    assert in_unit_range[1] == pytest.approx([0.2023, 0.1994, 0.2010])


def test_rates_of_the_modern_recipe_rise_for_five_epochs_and_fall_as_a_cosine() -> None:
    cfg = Config.fromfile(ROOT / 'cifar100_lt/drl-la_r32_cifar100-lt-ir100.py')
    cosine = [0.05 * (1 + math.cos(math.pi * epoch / 195)) for epoch in range(195)]
    assert rates(cfg, 200) == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1, *cosine], abs=1e-9)


def test_ldam_on_the_digits_begins_as_in_its_released_code_and_falls_as_the_other_digits_do() -> None:
    """``lr * epoch / 5`` for the first five epochs of Cao et al.; a cosine in place of their steps."""
    cfg = Config.fromfile(ROOT / 'digits_lt/ldam-drw_r8_digits-lt-ir50.py')
    cosine = [0.05 * (1 + math.cos(math.pi * epoch / 45)) for epoch in range(45)]
    assert rates(cfg, 50) == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1, *cosine], abs=1e-9)


@pytest.mark.parametrize('path', sorted((ROOT / 'digits_lt').glob('*.py')), ids=lambda path: path.stem)
def test_digits_configs_have_one_budget(path: Path) -> None:
    assert Config.fromfile(path).train_cfg.max_epochs == 50


PAIRS = [
    ('digits_lt/drl-linear_r8_digits-lt-ir50', 'digits_lt/ce_r8_digits-lt-ir50'),
    ('digits_lt/drl-crt_r8_digits-lt-ir50', 'digits_lt/ce-crt_r8_digits-lt-ir50'),
    ('digits_lt/drl_r8_digits-lt-ir50', 'digits_lt/crt_r8_digits-lt-ir50'),
    ('cifar100_lt/drl-la_r32_cifar100-lt-ir100', 'cifar100_lt/la_r32_cifar100-lt-ir100'),
]


@pytest.mark.parametrize(('name', 'control'), PAIRS, ids=lambda name: Path(name).stem)
def test_the_dr_loss_is_all_that_sets_a_config_apart_from_its_control(name: str, control: str) -> None:
    cfg, other = (Config.fromfile(ROOT / f'{stem}.py').to_dict() for stem in (name, control))
    assert cfg['model']['head'].pop('dr_loss')['type'] == 'mmdrl.DRLoss'
    assert cfg == other


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
