"""The page on what the DR loss does: its numbers are those of the records, and no larger claim than they allow."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import ROOT

from mmdrl.errors import ConfigError

sys.path.append(str(ROOT / 'benchmarks'))
from evidence import looked_into, pages, understanding, understanding_figures, understanding_tables
from evidence.measured import MeasuredPlan, read_all

COUNTS = [500, 120, 100, 40, 20, 10, 5]
SEEDS = {'la': 3, 'drl-la': 4, 'drl-wide': 1, 'ce': 1}
# Centroid error over the distance to the nearest other centroid, few-shot, by seed.
ERRORS = {'la': [0.40, 0.44, 0.42], 'drl-la': [0.38, 0.45, 0.37, 0.9], 'drl-wide': [0.3], 'ce': [0.5]}
PLAN = """
title: A plan
budget: {budget}
split: {split}
rows:
  - {{name: la, label: modern, config: configs/la.py, seeds: 3}}
  - {{name: drl-la, label: modern with DR, config: configs/drl-la.py, control: la, seeds: 4}}
  - {{name: drl-wide, config: configs/drl-wide.py, control: drl-la}}
  - {{name: ce, config: configs/ce.py}}
  - {{name: drl, config: configs/drl.py, control: ce}}
"""


def looked(error: float, has_dr: bool) -> dict[str, Any]:
    groups = dict(many=error / 4, medium=error / 2, few=error, all=error / 2)
    shares = dict(ratio=0.5, cosine=0.1)
    return dict(
        accuracy=dict(ncm=dict(many=50.0, medium=30.0, few=10.0, all=30.0)),
        classes=dict(error_to_nearest=groups, error_to_expected=groups),
        overall=dict(within_to_between_train=0.5, within_to_between_test=1.5),
        pull=dict(train=groups, held_out=groups),
        balls=dict(to_spread=groups, to_expected=groups, in_ball=dict(many=0.0, few=12.5)) if has_dr else None,
        gradients=dict(features=dict.fromkeys(groups, shares), backbone=shares) if has_dr else None,
        per_class=dict(
            error_to_nearest=[error] * len(COUNTS),
            error_to_expected=[1.0] * len(COUNTS),
            error_to_spread=[0.5, None, *[0.5] * 5],
            spread_test=[2.0] * len(COUNTS),
            radius=[0.5] * len(COUNTS) if has_dr else None,
        ),
    )


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """A folder laid out as this project, with a plan, the page, and records if wanted."""

    def make(budget: str = 'full', split: str = 'test', name: str = 'cifar100_lt', has_records: bool = True) -> Path:
        folder = tmp_path / 'benchmarks' / 'results' / 'accuracy' / name
        for path in (tmp_path / 'benchmarks' / 'plans', tmp_path / 'docs', folder):
            path.mkdir(parents=True, exist_ok=True)
        (tmp_path / f'benchmarks/plans/{name}.yaml').write_text(PLAN.format(budget=budget, split=split))
        (tmp_path / understanding.PAGE).write_text(f'before\n{pages.BEGIN}{pages.END}after\n')
        for row, seeds in SEEDS.items() if has_records else ():
            for seed in range(seeds):
                content = dict(plan=name, row=row, seed=seed, budget=budget, split=split, config=f'configs/{row}.py')
                content |= dict(options={})
                content |= dict(config_hash='0' * 64, epochs=20, parameters=470004, train_seconds=1.0, made_with={})
                shots = dict(many=60.0, medium=40.0, few=20.0 + seed * (row == 'drl-la'), all=40.0)
                content |= dict(metrics=shots | {f'ncm/{key}': value for key, value in shots.items()})
                content |= dict(class_counts=COUNTS, per_class=dict(ncm=[50.0] * len(COUNTS)))
                content |= dict(insight=looked(ERRORS[row][seed], row.startswith('drl')))
                (folder / f'{row}_{seed}.json').write_text(json.dumps(content))
        return tmp_path

    return make


def only(root: Path) -> MeasuredPlan:
    (plan,) = read_all(root)
    return plan


def line_of(text: str, start: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f'| {start}'))
    return [cell.strip().replace('\u00a0', ' ') for cell in line[1:-1].split('|')]


def test_only_rows_with_the_loss_and_controls_without_it_are_pairs(project: Callable[..., Path]) -> None:
    plan = only(project())  # drl-wide is compared with another row that has the loss, drl has no record
    assert [pair.name for pair in looked_into.pairs(plan)] == ['drl-la - la']
    assert [row.row.name for row in looked_into.with_dr_loss(plan)] == ['drl-la', 'drl-wide']


def test_figures_show_the_first_pair_of_each_control_then_other_rows(project: Callable[..., Path]) -> None:
    root = project()
    folder = root / 'benchmarks/results/accuracy/cifar100_lt'
    for name, like, control in (('drl-wide', 'drl-la', 'la'), ('drl', 'drl-la', 'ce')):
        content = json.loads((folder / f'{like}_0.json').read_text()) | dict(row=name, config=f'configs/{name}.py')
        (folder / f'{name}_0.json').write_text(json.dumps(content))
        plan = root / 'benchmarks/plans/cifar100_lt.yaml'
        plan.write_text(re.sub(rf'(name: {name}, .*control: )[a-z-]+', rf'\g<1>{control}', plan.read_text()))
    plan = only(root)
    assert [pair.name for pair in looked_into.pairs(plan)] == ['drl-la - la', 'drl-wide - la', 'drl - ce']
    assert [pair.name for pair in looked_into.shown_pairs(plan)] == ['drl-la - la', 'drl - ce']
    assert [row.row.name for row in looked_into.shown_rows(plan)] == ['drl-la', 'drl', 'drl-wide']


def test_differences_are_those_of_the_common_seeds(project: Callable[..., Path]) -> None:
    text = understanding_tables.pair_table(looked_into.pairs(only(project())), [understanding_tables.NEAREST_FEW])
    change = 100 * (np.array(ERRORS['drl-la'][:3]) - ERRORS['la'])
    error = change.std(ddof=1) / np.sqrt(3)
    assert abs(change.mean()) < 2 * error  # so it is not bold
    assert line_of(text, '`drl-la` - `la`')[1:] == ['3', f'{change.mean():+.2f} ± {error:.2f}']
    values = 100 * np.array(ERRORS['drl-la'])
    assert line_of(text, 'modern with DR')[1:] == ['4', f'{values.mean():.1f} ± {values.std(ddof=1):.1f}']


def test_answers_compare_means_over_the_seeds_of_both(project: Callable[..., Path]) -> None:
    line = line_of(understanding.answers([only(project())]), 'Does the loss bring rare ones nearer?')
    with_it, without = 100 * np.array(ERRORS['drl-la'][:3]), 100 * np.array(ERRORS['la'])
    means = [f'{each.mean():.1f} ± {each.std(ddof=1):.1f}' for each in (without, with_it)]
    assert line[1].startswith(f'{means[0]} to {means[1]}: -2.00 ± ')


def test_difference_beyond_two_standard_errors_is_bold_and_that_of_one_seed_never(
    project: Callable[..., Path],
) -> None:
    (pair,) = looked_into.pairs(only(project()))
    few = pair.difference('metrics', 'few')  # 0, 1, 2: mean 1, standard error 1/sqrt(3)
    assert understanding_tables.signed(few, 1).replace('\u00a0', ' ') == '+1.00 ± 0.58'
    assert understanding_tables.signed(few._replace(error=0.5), 1).startswith('**+1.00')
    assert understanding_tables.signed(few._replace(error=None), 1) == '+1.00'


def test_page_without_records_says_open_with_the_command(project: Callable[..., Path]) -> None:
    root = project(has_records=False)
    assert understanding.write(root, check=True) == [understanding.PAGE]
    assert understanding.write(root) == [understanding.PAGE]
    text = (root / understanding.PAGE).read_text()
    assert '**Open.**' in text
    assert 'python benchmarks/accuracy.py benchmarks/plans/cifar100_lt.yaml' in text
    assert text.startswith('before\n')
    assert text.endswith('after\n')
    assert understanding.write(root, check=True) == []
    assert not (root / 'docs/images').exists()


def test_short_budget_is_said_on_page_and_in_every_figure(project: Callable[..., Path]) -> None:
    root = project(budget='short')
    understanding.write(root)
    text = (root / understanding.PAGE).read_text()
    assert '**SHORT BUDGET.**' in text
    assert '### A plan (SHORT BUDGET)' in text
    rules = [number for number, line in enumerate(text.splitlines()) if '|---' in line]
    assert len(rules) == 5
    assert all(text.splitlines()[number - 1].startswith('| **SHORT BUDGET** |') for number in rules)
    drawn = re.findall(r'!\[SHORT BUDGET\. [^\]]+\]\((images/\w+\.png)\)', text)
    assert [Path(name).stem.removeprefix('understanding_') for name in drawn] == list(understanding_figures.FIGURES)
    assert all((root / 'docs' / name).is_file() for name in drawn)
    plan = only(root)
    figures = [draw(plan) for draw in understanding_figures.FIGURES.values()]
    assert all('SHORT BUDGET' in figure.get_suptitle() for figure in figures)


def test_whole_budget_answers_before_a_short_one_and_the_test_set_before_a_hold_out(
    project: Callable[..., Path],
) -> None:
    project(budget='short', name='a_short')
    project(split='holdout', name='b_choice')
    plans = read_all(project(name='c_full'))
    assert understanding.first(plans).plan.name == 'c_full'
    text = understanding.answers(plans)
    assert not text.startswith('**SHORT')
    assert text.index('### A plan\n') < text.index('**SHORT BUDGET.**')  # its own section says it
    assert understanding.first([plan for plan in plans if plan.plan.name != 'c_full']).plan.name == 'b_choice'


def test_gap_figure_draws_the_paired_differences(project: Callable[..., Path]) -> None:
    axes = understanding_figures.gap(only(project())).axes[0]
    (drawn,) = axes.containers
    assert drawn[0].get_ydata().tolist() == pytest.approx([0, 0, 1, 0])  # few-shot: seeds add 0, 1, 2
    (bars,) = drawn[2]
    low, high = bars.get_segments()[2][:, 1]
    assert (low, high) == pytest.approx((1 - 3**-0.5, 1 + 3**-0.5))


def test_balls_are_drawn_over_the_spread(project: Callable[..., Path]) -> None:
    axes = understanding_figures.balls(only(project())).axes
    assert [panel.get_title() for panel in axes] == ['drl-la', 'drl-wide']
    radius, error = axes[0].lines
    assert radius.get_ydata().tolist() == [0.25] * 7
    assert error.get_xdata().tolist() == [500, 100, 40, 20, 10, 5]  # a class without a value is left out


def test_means_over_seeds_leave_out_what_is_missing() -> None:
    cells = [dict(x=[1.0, None, None]), dict(x=[3.0, 5.0, None]), dict(x=None), dict()]
    row = looked_into.MeasuredRow(None, tuple(cells))
    np.testing.assert_array_equal(looked_into.class_means(row, 'x'), [2.0, 5.0, np.nan])
    assert looked_into.class_means(row, 'y') is None


def test_page_without_marks_is_refused(project: Callable[..., Path]) -> None:
    root = project()
    (root / understanding.PAGE).write_text('nothing')
    with pytest.raises(ConfigError, match=r'in docs/understanding\.md'):
        understanding.write(root)


def test_check_needs_neither_torch_nor_matplotlib() -> None:
    code = (
        f'import sys; from pathlib import Path; sys.path.append({str(ROOT / "benchmarks")!r})\n'
        f'from evidence.understanding import write; write(Path({str(ROOT)!r}), check=True)\n'
        'print(sorted({"torch", "matplotlib", "mmengine"} & set(sys.modules)))'
    )
    ran = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == '[]'
