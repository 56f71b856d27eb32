"""The committed plans: every row can be trained, and differs from its control in nothing but the DR loss."""

import importlib
import inspect
import sys
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from command import ROOT
from config_files import differences
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS, HOOKS, METRICS, MODELS, OPTIM_WRAPPERS

from mmdrl.engine.config import load_config
from mmdrl.engine.stages import StagePlan

sys.path.append(str(ROOT / 'benchmarks'))
from evidence.cells import cell_config, config_hash
from evidence.plan import Plan, Row, read_plan

PLANS = {path.stem: read_plan(path) for path in sorted((ROOT / 'benchmarks/plans').glob('*.yaml'))}
ROWS = [pytest.param(plan, row, id=f'{name}-{row.name}') for name, plan in PLANS.items() for row in plan.rows]
PAIRS = [
    pytest.param(plan, row, id=f'{name}-{row.name}') for name, plan in PLANS.items() for row in plan.rows if row.control
]
# Where a row may differ from its control: the loss, what it is applied to, its centroids, and the decay of its radii.
PARTS = (
    'model.head.dr_', 'model.head.centroids', 'model.backbone.out_indices', 'optim_wrapper.paramwise_cfg'
)  # fmt: skip

read_file = cache(load_config)


@cache
def cell(plan: str, row: str) -> Config:
    found = next(r for r in PLANS[plan].rows if r.name == row)
    return cell_config(PLANS[plan], found, 0, ROOT)


def trained(plan: str, row: str) -> dict[str, Any]:
    """What is trained: no name, and not how often one looks, which draws no number."""
    content: dict[str, Any] = cell(plan, row).to_dict()
    del content['work_dir'], content['train_cfg']['val_interval']
    return content


def test_all_plans_are_there() -> None:
    ratios = {'cifar100_lt', 'cifar100_lt_ir50', 'cifar100_lt_ir10'}
    assert PLANS.keys() >= ratios | {'cifar100_lt_choice', 'cifar100_lt_short', 'selfcheck'}
    assert all(PLANS[name].budget == 'full' and PLANS[name].split == 'test' for name in ratios)


@pytest.mark.parametrize('plan', PLANS.values(), ids=PLANS)
def test_no_setting_is_chosen_on_test_images(plan: Plan) -> None:
    assert (plan.split == 'holdout') == ('choice' in plan.name or plan.budget == 'check')
    if 'choice' in plan.name:
        assert 'rule' in plan.path.read_text().lower()


@pytest.mark.parametrize(('plan', 'row'), PAIRS)
def test_the_dr_loss_is_all_that_sets_a_row_apart_from_its_control(plan: Plan, row: Row) -> None:
    cfg, control = trained(plan.name, row.name), trained(plan.name, row.control)
    assert cfg['model']['head'].get('dr_loss')
    assert not control['model']['head'].get('dr_loss')
    found = differences(cfg, control)
    assert 'model.head.dr_loss' in found
    assert {name for name in found if not name.startswith(PARTS)} == set()
    seeds = {r.name: r.seeds for r in plan.rows}
    assert seeds[row.control] >= row.seeds


@pytest.mark.parametrize('plan', PLANS.values(), ids=PLANS)
def test_variants_share_the_control_of_what_they_vary(plan: Plan) -> None:
    rows = {row.name: row for row in plan.rows}
    variants = [row for row in plan.rows if row.variant_of]
    assert all(row.control == rows[row.variant_of].control for row in variants)
    assert all(rows[row.variant_of].seeds >= row.seeds for row in variants)
    if plan.name == 'cifar100_lt':
        assert len(variants) == 21


@pytest.mark.parametrize('name', ['cifar100_lt', 'cifar100_lt_ir50', 'cifar100_lt_ir10'])
def test_the_fault_differs_from_the_mended_protocol_in_the_radii_alone(name: str) -> None:
    fault, mended = trained(name, 'drl-released-fault'), trained(name, 'drl-released')
    found = differences(fault, mended)
    assert {
        part for part in found if not part.startswith(('model.head.dr_loss.', 'optim_wrapper.paramwise_cfg.'))
    } == set()
    loss = fault['model']['head']['dr_loss'], mended['model']['head']['dr_loss']
    assert loss[0]['temperature'] == loss[1]['temperature'] == loss[0]['loss_weight'] == loss[1]['loss_weight']
    assert (loss[1]['scope'], loss[1]['margin'], loss[1].get('distance', 'euclidean')) == ('class', 1.0, 'euclidean')


@pytest.mark.parametrize(('plan', 'row'), ROWS)
def test_schedule_and_stages_fill_the_epochs(plan: Plan, row: Row) -> None:
    cfg = cell(plan.name, row.name)
    epochs = cfg.train_cfg.max_epochs
    assert epochs == row.epochs or row.epochs is None
    assert 0 < cfg.train_cfg.val_interval <= epochs
    stages = (cfg.default_hooks.get('stages') or {}).get('stages')
    if stages:
        StagePlan(stages).check_fits(epochs)
    ends = [part.get('end', part.get('begin', 0) + part.get('T_max', 0)) for part in cfg.param_scheduler]
    last = [max([end, *part.get('milestones', ())]) for end, part in zip(ends, cfg.param_scheduler, strict=True)]
    assert max(last) == epochs or (cfg.param_scheduler[-1].type == 'MultiStepLR' and max(last) < epochs)


@pytest.mark.parametrize(('plan', 'row'), ROWS)
def test_options_name_what_the_config_or_its_class_knows(plan: Plan, row: Row) -> None:
    before, after = read_file(str(ROOT / row.config)), cell(plan.name, row.name)
    assert '_delete_' not in str(after)
    imports = (row.options.get('custom_imports') or {}).get('imports', ())
    assert all(importlib.import_module(name) for name in imports)
    for key in row.options:
        *way, last = key.split('.')
        place: Any = before
        for step in way:
            place = place[int(step) if isinstance(place, list) else step]
        known = place if not isinstance(place, list) else map(str, range(len(place)))
        assert last in known or last in arguments(place) | {'custom_imports', 'custom_hooks'}, key


def arguments(settings: Any) -> set[str]:
    """What the class of a part of a config may be given."""
    name = settings.get('type', 'OptimWrapper' if 'optimizer' in settings else 'none')
    found = [node.get(name) for node in (MODELS, HOOKS, DATASETS, OPTIM_WRAPPERS)]
    classes = {part for kind in found if kind for part in kind.__mro__}
    names = {argument for part in classes for argument in inspect.signature(part.__init__).parameters}
    return names | ({'type', 'paramwise_cfg'} if 'optimizer' in settings else set())


BUILT: dict[str, int] = {}  # parameters of each distinct model, as many rows share one


def parameters(cfg: Config) -> int:
    if (model := str(cfg.model)) not in BUILT:
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            built = MODELS.build(cfg.model)
        BUILT[model] = sum(parameter.numel() for parameter in built.parameters())
    return BUILT[model]


@pytest.mark.parametrize('plan', PLANS.values(), ids=PLANS)
def test_models_build_and_compared_networks_are_equally_large(plan: Plan) -> None:
    found = {}
    for row in plan.rows:
        cfg = deepcopy(cell(plan.name, row.name))  # building takes parts out of it
        found[row.name] = parameters(cfg)
        assert all(METRICS.build(dict(metric)) for metric in cfg.val_evaluator)
    if plan.budget != 'check':  # 0.46 M of ResNet-32 and a classifier; a projection, which no prediction uses, is extra
        assert all(460_000 < number < 471_000 or name == 'projection' for name, number in found.items()), found


@pytest.mark.parametrize('plan', PLANS.values(), ids=PLANS)
def test_seeds_train_one_config(plan: Plan) -> None:
    """Overrides that were used up by the first seed would leave others for the next."""
    for row in plan.rows:
        if row.seeds > 1 and row.options:
            assert config_hash(cell_config(plan, row, 1, ROOT)) == config_hash(cell(plan.name, row.name)), row.name


def test_rows_of_a_ratio_have_its_images() -> None:
    for name, ratio in (('cifar100_lt', 100), ('cifar100_lt_ir50', 50), ('cifar100_lt_ir10', 10)):
        ratios = {cell(name, row.name).train_dataloader.dataset.imbalance_ratio for row in PLANS[name].rows}
        assert ratios == {ratio}


def test_configs_of_the_benchmarks_are_used() -> None:
    used = {row.config for plan in PLANS.values() for row in plan.rows}
    assert {str(path.relative_to(ROOT)) for path in Path(ROOT / 'benchmarks/configs').glob('*.py')} <= used
