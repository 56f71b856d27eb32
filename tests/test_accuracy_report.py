"""The report on accuracy: its numbers are those of the records, its claims no larger than they allow."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import ROOT
from scipy import stats

from mmdrl.errors import ConfigError, DataError, MMDRLError
from mmdrl.stats.spread import paired_difference

sys.path.append(str(ROOT / 'benchmarks'))
from evidence import accuracy_goals, pages, provenance, published, tables
from evidence.measured import MeasuredPlan, read_all
from evidence.plan import read_plan
from evidence.report import write_report

# All-class accuracy by seed; the few-shot group is 20 points below, the many-shot one 20 above.
ACCURACY = {
    'ce': [38.0, 38.6, 37.9],
    'la': [48.0, 49.0, 50.5],
    'drl-la': [49.2, 50.0, 51.6, 50.4],
    'drl-released': [46.9],
}
PLAN = """
title: Four rows
text: A sentence on the plan.
{more}
rows:
  - {{name: la, label: modern, config: configs/la.py, group: modern, seeds: 3}}
  - {{name: ce, label: cross-entropy, config: configs/ce.py, group: controls, seeds: 3}}
  - {{name: drl-la, label: with DR, config: configs/drl-la.py, group: modern, control: la, variant_of: ce, seeds: 4}}
  - {{name: drl-released, label: released, config: configs/drl-released.py, group: controls, seeds: 2}}
  - {{name: crt, label: balanced, config: configs/crt.py, group: controls}}
"""


def record(plan: str, row: str, seed: int, value: float, budget: str = 'full', split: str = 'test') -> dict[str, Any]:
    shots: dict[str, float | None] = dict(all=value, many=value + 20, medium=None, few=value - 20)
    return dict(
        plan=plan,
        row=row,
        seed=seed,
        budget=budget,
        split=split,
        config=f'configs/{row}.py',
        options={},
        config_hash=f'{row:0<64}',
        epochs=20,
        parameters=470004,
        train_seconds=1800.0,
        metrics=shots | {'ncm/all': value - 1, 'ece': 10.5},
        best=dict(epoch=15, all=value + 1) if row == 'drl-released' else None,
        curve=dict(
            train=[dict(epoch=epoch, loss=4 / epoch + seed) for epoch in (1, 2, 3)],
            val=[dict(epoch=10, all=value - 5), dict(epoch=20, all=value)],
        ),
        class_counts=[500, 101, 100, 20, 19, 5],
        shot_groups=dict(many=100, few=20, edges='exclusive'),
        made_with=dict(
            git=dict(revision='0123456789', has_changes=row == 'ce'),
            versions=dict(mmdrl='0.1.0', torch='2.15.0'),
            cpu='A processor',
            devices=['cpu'],
            threads=1,
            processes=1,
        ),
    )


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """A folder laid out as this project, with a plan, its records and the two pages."""

    def make(name: str = 'cifar100_lt', budget: str = 'full', split: str = 'test') -> Path:
        folder = tmp_path / 'benchmarks' / 'results' / 'accuracy' / name
        for path in (tmp_path / 'benchmarks' / 'plans', tmp_path / 'docs', folder):
            path.mkdir(parents=True, exist_ok=True)
        plan = PLAN.format(more=f'budget: {budget}\nsplit: {split}')
        (tmp_path / 'benchmarks' / 'plans' / f'{name}.yaml').write_text(plan)
        for row, values in ACCURACY.items():
            for seed, value in enumerate(values):
                content = record(name, row, seed, value, budget, split)
                (folder / f'{row}_{seed}.json').write_text(json.dumps(content))
        for page in ('README.md', 'docs/results.md'):
            (tmp_path / page).write_text(f'before\n{pages.BEGIN}{pages.END}after\n')
        return tmp_path

    return make


def only(root: Path) -> MeasuredPlan:
    (plan,) = read_all(root)
    return plan


def cells_of(table: str, row: str) -> dict[str, str]:
    """Cells of a line of a table, by their column."""
    lines = [[cell.strip().replace('\u00a0', ' ') for cell in line[1:-1].split('|')] for line in table.splitlines()]
    line = next(line for line in lines if f'`{row}`' in line[0])
    return dict(zip(lines[0], line, strict=True))


def test_means_deviations_and_paired_differences_are_those_of_numpy(project: Callable[..., Path]) -> None:
    plan = only(project())
    found = cells_of(tables.accuracy_table(plan, '..'), 'drl-la')
    values = np.array(ACCURACY['drl-la'])
    deviation = np.sqrt(((values - values.mean()) ** 2).sum() / 3)
    assert found['all'] == f'{values.mean():.1f} ± {deviation:.1f}'
    assert found['few'] == f'{values.mean() - 20:.1f} ± {deviation:.1f}'
    assert (found['medium'], found['ECE'], found['NCM, all']) == ('-', '10.5 ± 0.0', f'{values.mean() - 1:.1f} ± 1.0')
    assert (found['seeds'], found['epochs'], found['parameters']) == ('4', '20', '470,004')
    change = np.array([1.2, 1.0, 1.1])  # seeds 0, 1, 2: the control has no fourth
    paired = cells_of(tables.difference_table(plan), 'drl-la')
    assert paired['all'] == f'+{change.mean():.2f} ± {change.std(ddof=1) / np.sqrt(3):.2f}'
    assert (paired['seeds'], paired['over all classes'], paired['medium']) == ('3', 'better', '-')
    varied = np.array([11.2, 11.4, 13.7])  # over what it is called a variant of
    paired = cells_of(tables.difference_table(plan), 'ce')
    assert paired['all'] == f'+{varied.mean():.2f} ± {varied.std(ddof=1) / np.sqrt(3):.2f}'


def test_one_seed_has_no_spread_and_the_table_says_so(project: Callable[..., Path]) -> None:
    plan = only(project())
    text = tables.accuracy_table(plan, '..')
    found = cells_of(text, 'drl-released')
    assert (found['all'], found['seeds']) == ('46.9', '1 of 2¹')
    assert '¹ One seed: nothing can be said of its spread.' in text


def test_best_epoch_is_named_test_selected_and_published_numbers_stand_beside(project: Callable[..., Path]) -> None:
    found = cells_of(tables.accuracy_table(only(project()), '..'), 'drl-released')
    assert found['best epoch, test-selected: not comparable'] == '47.9'
    assert found['published, all'] == '47.31'


def test_rows_of_a_group_stand_together_and_missing_ones_are_named(project: Callable[..., Path]) -> None:
    text = tables.accuracy_table(only(project()), '..')
    names = re.findall(r'^\| (?:.*\[`(.+?)`\]|\*(.+?)\*)', text, re.MULTILINE)
    assert [''.join(pair) for pair in names] == ['controls', 'ce', 'drl-released', 'modern', 'la', 'drl-la']
    assert 'Not run yet: `crt`.' in text


def test_code_of_no_revision_is_marked(project: Callable[..., Path]) -> None:
    plan = only(project())
    text = tables.accuracy_table(plan, '..')
    assert cells_of(text, 'ce')['seeds'] == '3†'
    assert '†' not in cells_of(text, 'la')['seeds']
    assert '† The code had changes that are in no revision.' in text
    assert 'revision 0123456 or 0123456†' in provenance.made_with(plan)
    assert '11 of 13 trainings, 5.5 hours' in provenance.made_with(plan)


@pytest.mark.parametrize(
    ('values', 'control', 'says'),
    [
        ({0: 2.0, 1: 2.2, 2: 1.8}, {0: 1.0, 1: 1.0, 2: 1.0}, 'better'),
        ({0: 1.0, 1: 1.2, 2: 0.8}, {0: 2.0, 1: 2.0, 2: 2.0}, 'worse'),
        ({0: 2.0, 1: 0.0, 2: 1.3}, {0: 1.0, 1: 1.0, 2: 1.0}, 'cannot be told from chance'),
        ({0: 9.0, 1: 1.0}, {0: 1.0}, 'one seed: cannot be told from chance'),
        ({0: 9.0, 1: 9.1}, {0: 1.0, 1: 1.0}, 'two seeds: cannot be told from chance'),
        ({0: 1.0, 1: 3.0, 2: 2.0}, {0: 1.0, 1: 3.0, 2: 2.0}, 'cannot be told from chance'),
        ({0: 1.0}, {1: 1.0}, '-'),
    ],
)
def test_difference_below_two_standard_errors_is_chance(
    values: dict[int, float], control: dict[int, float], says: str
) -> None:
    assert tables.chance(paired_difference(values, control)) == says


def test_two_standard_errors_are_as_weak_as_the_page_says() -> None:
    page = ' '.join((ROOT / 'docs' / 'results.md').read_text(encoding='utf-8').split())
    said = re.search(r'in (\d+) of 100 cases with three seeds, (\d+) with five.* of 40 .* about (\d+)\.', page)
    assert said is not None
    of_three, of_five = (2 * stats.t.sf(2, seeds - 1) for seeds in (3, 5))
    assert [int(cases) for cases in said.groups()] == [
        round(100 * of_three),
        round(100 * of_five),
        round(40 * of_three),
    ]


@pytest.mark.parametrize(('budget', 'label'), [('short', 'SHORT BUDGET'), ('check', 'CHECK OF THE MACHINERY')])
def test_short_runs_are_labelled_and_enter_neither_headline_nor_goals(
    project: Callable[..., Path], budget: str, label: str
) -> None:
    from evidence.figures import FIGURES

    plan = only(project(budget=budget))
    text = pages.section(plan)
    lines = text.splitlines()
    assert lines[0] == f'### Four rows ({label})'
    assert all(line.startswith(f'| **{label}** |') for line, rule in pairwise(lines) if '|---' in rule)
    assert '47.31' not in text
    for kind in pages.pictures(plan):
        assert label in pages.picture(plan, kind)
        assert label in FIGURES[kind](plan).get_suptitle()
    assert pages.headline([plan]).startswith('**Open:**')
    assert {accuracy_goals.outcome(goal, None) for goal in accuracy_goals.GOALS} == {('-', 'open')}
    assert accuracy_goals.goal_table([plan]) == accuracy_goals.goal_table([])


def test_headline_has_whole_budgets_with_their_records(project: Callable[..., Path]) -> None:
    text = pages.headline([only(project())])
    found = cells_of(text, 'drl-la')
    assert found['all'] == '50.3 ± 1.0'
    assert '(benchmarks/results/accuracy/cifar100_lt)' in found['']
    assert cells_of(text, 'drl-released')['published, all'] == '47.31'
    assert '2 of 13 trainings are open' in text
    change = np.array([1.2, 1.0, 1.1])
    words = f'`drl-la` - `la` +1.10\u00a0±\u00a0{change.std(ddof=1) / np.sqrt(3):.2f} (better)'
    assert f'Over all classes, paired by seed, ± standard error: {words}.' in text
    assert (
        'Published, not measured here. `drl-released`: Samuel & Chechik, ICCV 2021, as later papers quote it (' in text
    )


@pytest.mark.parametrize(
    ('bounds', 'is_difference', 'verdict'),
    [
        ((accuracy_goals.Bound('all', 50.0),), False, 'met'),
        ((accuracy_goals.Bound('all', 52.5),), False, 'missed'),
        ((accuracy_goals.Bound('all', 46.31, 48.31),), False, 'missed'),
        ((accuracy_goals.Bound('all', 0.5), accuracy_goals.Bound('few', 2.0)), True, 'met, with 3 of 4 seeds so far'),
        ((accuracy_goals.Bound('few', 2.0),), True, 'missed, with 3 of 4 seeds so far'),
    ],
)
def test_goals_are_met_or_missed(
    project: Callable[..., Path], bounds: tuple[accuracy_goals.Bound, ...], is_difference: bool, verdict: str
) -> None:
    goal = accuracy_goals.Goal('a goal', 'drl-la', bounds, is_difference)
    assert accuracy_goals.outcome(goal, only(project()))[1] == verdict


def test_one_or_two_seeds_leave_a_goal_open(project: Callable[..., Path]) -> None:
    root = project()
    goal = accuracy_goals.Goal('a goal', 'drl-released', (accuracy_goals.Bound('all', 40.0),))
    assert accuracy_goals.outcome(goal, only(root)) == ('46.90 all', 'open: one seed')
    (root / 'benchmarks/results/accuracy/cifar100_lt/la_2.json').unlink()
    goal = accuracy_goals.Goal('a goal', 'drl-la', (accuracy_goals.Bound('all', 0.5),), is_difference=True)
    assert accuracy_goals.outcome(goal, only(root))[1] == 'open: two seeds'


def test_goal_is_not_met_by_chance(project: Callable[..., Path]) -> None:
    root = project()
    for seed, value in enumerate([52.0, 49.0, 51.0]):  # minus la: +4, 0, +0.5
        path = root / f'benchmarks/results/accuracy/cifar100_lt/drl-la_{seed}.json'
        path.write_text(json.dumps(record('cifar100_lt', 'drl-la', seed, value)))
    goal = accuracy_goals.Goal('a goal', 'drl-la', (accuracy_goals.Bound('all', 0.5),), is_difference=True)
    measured, verdict = accuracy_goals.outcome(goal, only(root))
    assert measured.startswith('+1.50')
    assert verdict.startswith('missed: cannot be told from chance')


def test_report_is_written_once_and_checked_without_figures(project: Callable[..., Path]) -> None:
    root = project(budget='short')
    written = ['docs/results.md', 'README.md', 'benchmarks/results/accuracy/cifar100_lt/README.md']
    assert write_report(root, check=True) == written
    assert not (root / 'docs' / 'images').exists()
    assert write_report(root) == written
    images = sorted((root / 'docs' / 'images').glob('*'))
    assert [path.name for path in images] == ['accuracy_cifar100_lt.png', 'accuracy_curves_cifar100_lt.png']
    text = (root / 'docs' / 'results.md').read_text()
    assert (text.splitlines()[0], text.splitlines()[-1]) == ('before', 'after')
    for link in re.findall(r'\]\(([^)]+)\)', text):
        assert (root / 'docs' / link).exists()
    for path in images:
        path.unlink()
    assert write_report(root, check=True) == []
    changed = record('cifar100_lt', 'la', 1, 49.7, 'short')
    (root / 'benchmarks/results/accuracy/cifar100_lt/la_1.json').write_text(json.dumps(changed))
    assert write_report(root, check=True) == ['docs/results.md', written[-1]]


def test_plan_without_a_record_is_listed_with_its_command(project: Callable[..., Path]) -> None:
    root = project('cifar100_lt_short', 'short')
    (root / 'benchmarks' / 'plans' / 'other.yaml').write_text(PLAN.format(more='budget: full'))
    plans = read_all(root)
    assert [plan.plan.name for plan in plans] == ['other', 'cifar100_lt_short']  # whole budgets first
    row = next(line for line in pages.results(plans).splitlines() if 'plans/other.yaml' in line)
    assert 'not run yet, 13' in row
    assert 'No accuracy on CIFAR-100-LT is claimed yet' in pages.results(plans)


def test_held_out_images_are_said_to_judge(project: Callable[..., Path]) -> None:
    text = pages.section(only(project('choice', split='holdout')))
    assert 'never by the test set. Highest mean over all classes: `drl-la`, 50.3.' in text
    assert 'test-selected' not in text
    assert '47.31' not in text


def test_groups_are_counted_by_their_rule(project: Callable[..., Path]) -> None:
    text = pages.section(only(project()))
    assert '`many` above 100 (2 classes), `few` below 20 (2), `medium` between (2)' in text


@pytest.mark.parametrize(
    ('name', 'change', 'error', 'says'),
    [
        ('la_1.json', dict(config_hash='f' * 64), DataError, r'all seeds of row la .* by one config, got 2'),
        ('la_1.json', dict(budget='short'), DataError, r'Expected budget full .* got short'),
        ('la_1.json', dict(config='configs/other.py'), DataError, r'Expected config configs/la.py'),
        ('la_1.json', dict(options=dict(a=1)), DataError, r"Expected options {} .* got {'a': 1}"),
        ('la_1.json', dict(seed=2), DataError, r'Expected la_2.json as name'),
        ('la_1.json', dict(metrics=None), DataError, r'without a usable metrics'),
        ('gone_0.json', dict(row='gone', seed=0), DataError, r'Expected rows of cifar100_lt.yaml .* row gone'),
        ('la_1.json', '{"row": "la"', DataError, r'la_1.json, got a damaged file'),
        ('la_1.json', '[]', DataError, r'Expected the record of a training'),
        ('../gone/la_0.json', {}, DataError, r'Expected a plan for the records .* got none at benchmarks/plans/gone'),
    ],
)
def test_record_that_does_not_fit_is_refused_in_a_sentence(
    project: Callable[..., Path], name: str, change: Any, error: type[MMDRLError], says: str
) -> None:
    root = project()
    path = root / 'benchmarks' / 'results' / 'accuracy' / 'cifar100_lt' / name
    path.parent.mkdir(exist_ok=True)
    content = change if isinstance(change, str) else json.dumps(record('cifar100_lt', 'la', 1, 49.0) | change)
    path.write_text(content)
    with pytest.raises(error, match=says):
        write_report(root, check=True)


def test_page_without_marks_is_refused(project: Callable[..., Path]) -> None:
    root = project()
    (root / 'README.md').write_text('no marks')
    with pytest.raises(ConfigError, match=r'once each in README\.md'):
        write_report(root, check=True)


def test_figure_shows_means_deviations_and_seeds(project: Callable[..., Path]) -> None:
    from evidence.accuracy_figure import accuracy

    axes = accuracy(only(project())).axes[0]
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    place = labels.index('with DR  n = 4')
    seeds = [line for line in axes.lines if line.get_fillstyle() == 'none' and line.get_ydata()[0] == place]
    assert sorted(seeds[0].get_xdata()) == sorted(ACCURACY['drl-la'])
    values = np.array(ACCURACY['drl-la'])
    (bar,) = (bars for bars in axes.containers if bars.lines[0].get_ydata()[0] == place)
    assert bar.lines[0].get_xdata()[0] == pytest.approx(values.mean())
    (ends,) = bar.lines[2][0].get_segments()
    assert ends[:, 0] == pytest.approx([values.mean() - values.std(ddof=1), values.mean() + values.std(ddof=1)])
    upright = [line for line in axes.lines if list(line.get_xdata()) == [47.31, 47.31]]
    assert [np.mean(line.get_ydata()) for line in upright] == [labels.index('released  n = 1')]


def test_curves_are_means_over_seeds_where_all_have_a_value(project: Callable[..., Path]) -> None:
    from evidence.curves_figure import accuracy_curves, mean_curve

    curves = [[dict(epoch=1, loss=2.0), dict(epoch=2, loss=1.0)], [dict(epoch=1, loss=4.0), dict(epoch=2, loss=None)]]
    assert mean_curve(curves, 'loss') == ([1], [3.0])
    assert mean_curve([], 'loss') == ([], [])
    modern = accuracy_curves(only(project())).axes[2]
    assert modern.get_title(loc='left') == 'modern'
    loss = next(line for line in modern.lines if len(line.get_xdata()))
    assert list(loss.get_ydata()) == pytest.approx(
        [4 + 1, 2 + 1, 4 / 3 + 1]
    )  # seeds 0, 1 and 2 are added: 1 on average


def test_no_two_of_many_curves_look_alike_without_colours() -> None:
    from evidence.curves_figure import _look

    looks = [str((_look(number, 9)['linestyle'], _look(number, 9)['marker'])) for number in range(18)]
    assert len(set(looks)) == 18


def test_nothing_but_plans_and_records_is_read() -> None:
    code = (
        f'import sys; sys.path.append({str(ROOT / "benchmarks")!r})\n'
        f'from pathlib import Path; root = Path({str(ROOT)!r})\n'
        'from evidence import report, understanding\n'
        'print(report.write_report(root, check=True) + understanding.write(root, check=True))\n'
        'print([name for name in ("torch", "mmengine", "matplotlib", "mmpretrain") if name in sys.modules])'
    )
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True)
    assert (done.stdout.splitlines(), done.stderr) == (['[]', '[]'], '')  # the first: pages are up to date


def test_pictures_are_those_of_the_plans_with_records() -> None:
    drawn = {f'{kind}_{plan.plan.name}.png' for plan in read_all(ROOT) for kind in pages.pictures(plan)}
    assert {path.name for path in (ROOT / 'docs' / 'images').glob('accuracy_*')} == drawn


@pytest.mark.parametrize(
    ('plan', 'column'), [('cifar100_lt', 0), ('cifar100_lt_ir50', 1), ('cifar100_lt_ir10', 2)], ids=['100', '50', '10']
)
def test_published_numbers_are_those_of_the_table_of_the_configs(plan: str, column: int) -> None:
    page = (ROOT / 'configs' / 'cifar100_lt' / 'README.md').read_text(encoding='utf-8')
    methods = dict(re.findall(r'^\| \*{0,2}([\w-]+?)\*{0,2} \| ([\d./ -]+) \|', page, re.MULTILINE))
    rows = {'ce-plain': 'cross-entropy', 'ldam-drw': 'LDAM-DRW', 'taunorm': 'tau-norm'}
    for row, entry in published.published(plan).items():
        assert entry.all == float(methods[rows.get(row, 'DRO-LT')].split('/')[column])
        assert entry.source


def test_goals_headline_and_published_numbers_name_rows_of_the_plans() -> None:
    paths = {path.stem: path for path in (ROOT / 'benchmarks' / 'plans').glob('*.yaml')}
    rows = {name: {row.name: row for row in read_plan(path).rows} for name, path in paths.items()}
    asked = {accuracy_goals.PLAN: {goal.row for goal in accuracy_goals.GOALS} | set(pages.HEADLINE)}
    for name in ('cifar100_lt', 'cifar100_lt_ir50', 'cifar100_lt_ir10'):
        asked[name] = asked.get(name, set()) | published.published(name).keys()
    assert {
        name: sorted(wanted - rows[name].keys()) for name, wanted in asked.items() if wanted - rows[name].keys()
    } == {}
    assert all(rows[accuracy_goals.PLAN][goal.row].control for goal in accuracy_goals.GOALS if goal.is_difference)


def test_options_of_plans_are_the_same_after_json() -> None:
    for path in (ROOT / 'benchmarks' / 'plans').glob('*.yaml'):  # records are compared with them
        for row in read_plan(path).rows:
            assert json.loads(json.dumps(row.options)) == row.options
