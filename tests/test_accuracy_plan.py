"""Plans of trainings: what is read, what is refused, and the configs that come out."""

import re
import sys
from pathlib import Path

import pytest
import torch
from command import ROOT
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS

from mmdrl.errors import ConfigError

sys.path.append(str(ROOT / 'benchmarks'))
from evidence.cells import at_data, cell_config, config_hash
from evidence.epochs import with_epochs
from evidence.plan import Plan, read_plan

PLAN = """
title: Two rows
options: {optim_wrapper.optimizer.lr: 0.05}
seeds: 2
rows:
  - {name: la, config: configs/cifar100_lt/la_r32_cifar100-lt-ir100.py, seeds: 3}
  - {name: drl-la, config: configs/cifar100_lt/drl-la_r32_cifar100-lt-ir100.py, control: la, epochs: 400,
     options: {model.head.dr_loss.loss_weight: 0.5}}
"""


def plan_of(tmp_path: Path, text: str = PLAN) -> Plan:
    path = tmp_path / 'two.yaml'
    path.write_text(text)
    return read_plan(path)


def test_cells_come_seed_by_seed_so_that_a_part_is_a_fair_comparison(tmp_path):
    plan = plan_of(tmp_path)
    assert [cell.name for cell in plan.cells()] == ['la_0', 'drl-la_0', 'la_1', 'drl-la_1', 'la_2']
    assert [cell.name for cell in plan.cells(['la'], seeds=2)] == ['la_0', 'la_1']
    assert plan.rows[1].options == {'optim_wrapper.optimizer.lr': 0.05, 'model.head.dr_loss.loss_weight': 0.5}
    with pytest.raises(ConfigError, match=r'rows of two.yaml, which are la, drl-la, got ls'):
        list(plan.cells(['ls']))


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        (('title: Two rows', 'titel: Two rows'), r'Expected keys out of title, .* got titel'),
        (('title: Two rows', ''), r'Expected title in .*two.yaml, found none'),
        (('seeds: 3', 'seeds: many'), r"Expected int as seeds of row 'la' of .*, got 'many'"),
        (('seeds: 3', 'seeds: true'), r'Expected int as seeds'),
        (('seeds: 3', 'seeds: 0'), r'Row la .*: expected seeds of 1 or more, got 0'),
        (('control: la', 'control: ce'), r"Row drl-la .*: expected another row as its control, got 'ce'"),
        (('control: la', 'variant_of: drl-la'), r"Row drl-la .*: expected another row as its variant_of, got 'drl-la'"),
        (('name: la', 'name: LA x'), r"small letters, digits and hyphens, got 'LA x'"),
        (('name: la', 'name: drl-la'), r'each row of .* once, got drl-la more often'),
        (('seeds: 2', 'budget: big'), r'budget to be one of full, short, check in .*, got big'),
        (('title: Two rows', '- a\n- b'), r'Expected YAML in'),
    ],
)
def test_mistakes_in_a_plan_are_told(tmp_path, change, sentence):
    with pytest.raises(ConfigError, match=sentence):
        plan_of(tmp_path, PLAN.replace(*change))


def test_a_plan_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r'a YAML file, at .*none.yaml, found none'):
        read_plan(tmp_path / 'none.yaml')


def test_config_of_a_cell_has_its_options_seed_and_one_validation(tmp_path):
    plan = plan_of(tmp_path)
    cfg = cell_config(plan, plan.rows[1], 7, ROOT)
    assert cfg.model.head.dr_loss.loss_weight == 0.5
    assert cfg.optim_wrapper.optimizer.lr == 0.05
    assert cfg.randomness.seed == 7
    assert cfg.train_cfg.max_epochs == cfg.train_cfg.val_interval == 400


def test_hash_tells_what_is_trained_but_not_where_nor_with_which_seed(tmp_path):
    plan = plan_of(tmp_path)
    la, drl = plan.rows
    first, second, other = (cell_config(plan, row, seed, ROOT) for row, seed in ((la, 0), (la, 1), (drl, 0)))
    at_data(second, Path('/elsewhere'))
    assert second.train_dataloader.dataset.dataset.data_root == '/elsewhere/cifar'
    second.work_dir = 'another'
    assert config_hash(first) == config_hash(second) != config_hash(other)
    first.optim_wrapper.optimizer.lr = 0.051
    assert config_hash(first) != config_hash(second)
    assert re.fullmatch('[0-9a-f]{64}', config_hash(first))
    second.load_from = 'pretrained.pth'  # other weights to begin with
    assert config_hash(second) != config_hash(cell_config(plan, la, 1, ROOT))


def test_hold_out_shares_no_image_with_the_tail_and_none_with_the_test_set(tmp_path):
    plan = plan_of(tmp_path, PLAN.replace('seeds: 2', 'split: holdout\nholdout_per_class: 10'))
    cfg = cell_config(plan, plan.rows[0], 0, ROOT)
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    assert (train.holdout_per_class, train.get('part', 'tail')) == (10, 'tail')
    assert (val.holdout_per_class, val.part) == (10, 'holdout')
    assert val.dataset.split == train.dataset.split == 'train'
    assert (val.imbalance_ratio, val.get('seed', 0)) == (train.imbalance_ratio, train.get('seed', 0))
    assert val.dataset.pipeline == Config.fromfile(ROOT / plan.rows[0].config).val_dataloader.dataset.pipeline


def test_option_that_does_not_fit_and_config_that_is_not_there_are_told(tmp_path):
    plan = plan_of(tmp_path, PLAN.replace('model.head.dr_loss.loss_weight', 'param_scheduler.9.T_max'))
    with pytest.raises(ConfigError, match=r'row drl-la of .*two.yaml: the config takes no param_scheduler.9.T_max=0.5'):
        cell_config(plan, plan.rows[1], 0, ROOT)
    plan = plan_of(tmp_path, PLAN.replace('/la_r32', '/ls_r32'))
    with pytest.raises(ConfigError, match=r'Row la .* expected a config at configs/cifar100_lt/ls_r32.*, found none'):
        cell_config(plan, plan.rows[0], 0, ROOT)


def cosine(epochs: int) -> Config:
    schedule = [
        dict(type='LinearLR', start_factor=0.2, begin=0, end=5, by_epoch=True),
        dict(type='CosineAnnealingLR', begin=5, end=epochs, T_max=epochs - 5, by_epoch=True),
    ]
    return Config(dict(train_cfg=dict(max_epochs=epochs), param_scheduler=schedule))


def test_longer_training_keeps_the_warm_up_and_moves_the_end():
    cfg = with_epochs(cosine(200), 400)
    assert cfg.train_cfg.max_epochs == 400
    assert [(part.begin, part.end) for part in cfg.param_scheduler] == [(0, 5), (5, 400)]
    assert cfg.param_scheduler[1].T_max == 395


def test_shorter_training_shortens_the_warm_up_to_two_epochs_at_least():
    cfg = with_epochs(cosine(200), 20)
    assert [(part.begin, part.end) for part in cfg.param_scheduler] == [(0, 2), (2, 20)]
    assert cfg.param_scheduler[1].T_max == 18


@pytest.mark.parametrize('epochs', [1, 2, 3, 15, 20, 200, 400])
def test_full_rate_is_reached_and_the_end_is_that_of_the_recipe(epochs):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    parts = with_epochs(cosine(200), epochs).param_scheduler
    schedulers = [PARAM_SCHEDULERS.build(dict(part, optimizer=optimizer)) for part in parts]
    rates = []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]['lr'])
        for scheduler in schedulers:
            scheduler.step()
    assert max(rates) == pytest.approx(0.1)
    assert rates.index(max(rates)) <= 4  # the fifth epoch at the latest
    if epochs >= 15:  # over a few epochs a cosine is a step
        assert optimizer.param_groups[0]['lr'] < 0.02 * 0.1


def test_same_number_of_epochs_changes_nothing():
    for name in ('drl', 'drl-released', 'ce-crt', 'ldam-drw', 'la'):
        cfg = Config.fromfile(ROOT / f'configs/cifar100_lt/{name}_r32_cifar100-lt-ir100.py')
        assert with_epochs(cfg, cfg.train_cfg.max_epochs).to_dict() == cfg.to_dict()


@pytest.mark.parametrize('epochs', [3, 20, 37, 200, 400])
@pytest.mark.parametrize('name', ['drl', 'drl-released', 'ce-crt', 'ldam-drw'])
def test_stages_fill_the_epochs_and_none_is_lost(name, epochs):
    cfg = Config.fromfile(ROOT / f'configs/cifar100_lt/{name}_r32_cifar100-lt-ir100.py')
    stages = with_epochs(cfg, epochs).default_hooks.stages.stages
    assert sum(stage.epochs for stage in stages) == epochs
    assert min(stage.epochs for stage in stages) >= 1
    before = [stage.epochs / cfg.train_cfg.max_epochs for stage in cfg.default_hooks.stages.stages]
    assert all(abs(stage.epochs / epochs - share) <= 1.5 / epochs for stage, share in zip(stages, before, strict=True))
    for stage in stages:
        for part in stage.get('param_scheduler') or []:
            assert part.get('end', part.get('T_max')) <= stage.epochs


def test_fewer_epochs_than_stages_and_training_by_iterations_are_refused():
    cfg = Config.fromfile(ROOT / 'configs/cifar100_lt/drl_r32_cifar100-lt-ir100.py')
    with pytest.raises(ConfigError, match='at least one epoch for each of 3 stages, got 2 epochs'):
        with_epochs(cfg, 2)
    with pytest.raises(ConfigError, match=r'a config with train_cfg.max_epochs to stretch'):
        with_epochs(Config(dict(train_cfg=dict(max_iters=10))), 2)


def test_scheduler_without_an_epoch_left_is_left_out():
    assert [part.type for part in with_epochs(cosine(200), 1).param_scheduler] == ['CosineAnnealingLR']
