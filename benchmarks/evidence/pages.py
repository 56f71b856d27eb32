"""What is written: the parts of ``docs/results.md`` and the README between two marks, and a list beside the records."""

from collections.abc import Sequence

from mmdrl.errors import ConfigError
from mmdrl.stats import shot_groups

from .accuracy_goals import PLAN, goal_table
from .measured import PLANS, RECORDS, MeasuredPlan, MeasuredRow
from .provenance import DIRTY, is_dirty, made_with, revision
from .published import published
from .tables import (
    LABELS,
    MEANINGS,
    accuracy_table,
    chance,
    difference_table,
    differences,
    grouped,
    heading,
    line,
    name_of,
    number,
    seeds_of,
    signed,
    sources,
)

BEGIN = '<!-- Made by benchmarks/accuracy.py --report; do not edit by hand. -->\n'
END = '<!-- End of what accuracy.py has made. -->\n'
# Rows of the README, as far as they have run.
HEADLINE = (
    'ce', 'ce-crt', 'crt', 'drl', 'released-without', 'drl-released-fault', 'drl-released', 'la', 'drl-la', 'la-400',
    'drl-la-400',
)  # fmt: skip


def between_marks(page: str, made: str, name: str) -> str:
    """A page with what stands between its marks as it should be.

    Args:
        page: With the two marks.
        made: What is to stand between them.
        name: Of the page.

    Raises:
        ConfigError: If a mark is missing, or there twice.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise ConfigError(f'Expected these two lines once each in {name}, in this order, got others:\n{BEGIN}{END}')
    return f'{page.split(BEGIN)[0]}{BEGIN}\n{made}{END}{page.split(END)[1]}'


def results(plans: Sequence[MeasuredPlan]) -> str:
    """Part of ``docs/results.md``: what has run, the goals, and a section for each plan with a record."""
    lines = ['| plan | budget | judged by | trainings | made by |', '|---|---|---|---|---|']
    for plan in (plan for plan in plans if plan.cells or plan.plan.budget != 'check'):  # tests run the checks
        done = f'{len(plan.cells)} of {plan.planned}' if plan.cells else f'not run yet, {plan.planned}'
        judge = 'the test set' if plan.plan.split == 'test' else 'images held out of the tail'
        lines.append(f'| {plan.plan.title} | {plan.plan.budget} | {judge} | {done} | `{plan.command}` |')
    sections = '\n'.join(section(plan) for plan in plans if plan.cells)
    table = '\n'.join(lines)
    return f'### Plans\n\n{table}\n\n{_whole(plans)}\n\n### Goals\n\n{goal_table(plans)}\n{sections}' + '\n' * bool(
        sections
    )


def section(measured: MeasuredPlan) -> str:
    """Tables and figures of a plan."""
    name, link = measured.plan.name, f'../{RECORDS}/{measured.plan.name}'
    parts = [f'### {heading(measured)}\n']
    if meaning := MEANINGS.get(measured.plan.budget):
        parts.append(f'**{LABELS[measured.plan.budget]}.** {meaning}\n')
    parts += [f'{measured.plan.text.strip()}\n'] * bool(measured.plan.text.strip())
    if measured.plan.split == 'holdout':
        parts.append(f'{_chosen(measured)}\n')
    parts.append(f'Groups by training images of a class: {_groups(measured)}.\n')
    parts.append(accuracy_table(measured, link))
    if pairs := difference_table(measured):
        parts.append(f'Rows minus their controls, and variants minus what they vary, by seed, in points:\n\n{pairs}')
    parts += [f'{picture(measured, kind)}\n' for kind in pictures(measured)]
    parts.append(made_with(measured))
    parts.append(f'Every record: [benchmarks/results/accuracy/{name}]({link}).\n')
    return '\n'.join(parts)


def pictures(measured: MeasuredPlan) -> list[str]:
    """Beginnings of the names of the figures that a plan has."""
    has_curve = any((cell.get('curve') or {}).get('train') for cell in measured.cells)
    return ['accuracy', *['accuracy_curves'] * has_curve] if measured.cells else []


def picture(measured: MeasuredPlan, kind: str) -> str:
    """A figure in Markdown, with a description for who cannot see it."""
    label = LABELS[measured.plan.budget]
    rows = sum(bool(row.cells) for row in measured.rows)
    methods = f'{rows} method{"s" * (rows > 1)}'
    what = {
        'accuracy': f'Four panels, all, many-, medium- and few-shot accuracy of {methods}: a mark for the mean, a bar '
        'for the standard deviation and a small ring for each seed.',
        'accuracy_curves': f'Training losses of {methods} over the epochs, a line of panels for each group of '
        'methods; beside them accuracy on the way, where it was measured.',
    }[kind]
    return f'![{f"{label}. " if label else ""}{what}](images/{kind}_{measured.plan.name}.png)'


def headline(plans: Sequence[MeasuredPlan]) -> str:
    """Part of the README: methods with whole budgets, or the command that makes them."""
    plan = next((plan for plan in plans if plan.plan.name == PLAN and plan.is_evidence), None)
    command = f'python benchmarks/accuracy.py {PLANS}/{PLAN}.yaml'
    there = [row for row in (plan.rows if plan else ()) if row.cells and row.row.name in HEADLINE]
    if plan is None or not there:
        return f'**Open:** no training of full length has been run yet. `{command}` runs them, one record each.\n\n'
    numbers, link = published(PLAN), f'{RECORDS}/{PLAN}'
    lines = ['| | seeds | epochs | many | medium | few | all | published, all |', '|---' * 8 + '|']
    for row in sorted(there, key=lambda row: HEADLINE.index(row.row.name)):
        epochs = ' or '.join(sorted({str(cell['epochs']) for cell in row.cells}))
        shots = [number(row.spread(metric)) for metric in ('many', 'medium', 'few', 'all')]
        beside = f'{numbers[row.row.name].all:g}' if row.row.name in numbers else ''
        lines.append(line([name_of(row, link), seeds_of(row), epochs, *shots, beside]))
    marks = ['¹ One seed: nothing can be said of its spread.'] * any(len(row.cells) == 1 for row in there)
    marks += [f'{DIRTY} The code had changes that are in no revision.'] * any(
        is_dirty(cell) for row in there for cell in row.cells
    )
    marks += sources(there, numbers)
    marks += _paired(plan, there)
    left = plan.planned - len(plan.cells)
    marks += [f'{left} of {plan.planned} trainings are open: `{command}` goes on with them.'] * (left > 0)
    return '\n'.join([*lines, '', *marks]).strip() + '\n\n'


def _paired(plan: MeasuredPlan, rows: Sequence[MeasuredRow]) -> list[str]:
    """A sentence with what rows gain over their controls; none if no seed is common."""
    found = [(row.row, pair['all']) for row in rows if (pair := differences(plan, row, row.row.control))]
    said = [f'`{row.name}` - `{row.control}` {signed(value)} ({chance(value)})' for row, value in found if value]
    return [f'Over all classes, paired by seed, ± standard error: {"; ".join(said)}.'] * bool(said)


def listing(measured: MeasuredPlan) -> str:
    """``README.md`` beside the records of a plan: each of them with its code, time and accuracy."""
    lines = [
        f'# {heading(measured)}\n',
        f'Made by `{measured.command}`, a file for each training; this list by `python benchmarks/accuracy.py '
        '--report`. [How plans are run, and what a record holds](../../../../docs/howto/accuracy.md). Percent over all '
        'classes, at the last epoch.\n',
        '| file | revision | seconds | all |',
        '|---|---|---|---|',
    ]
    for rows in grouped(measured).values():
        for row in rows:
            values = row.values('all')
            for cell in row.cells:
                value = f'{values[cell["seed"]]:.2f}' if cell['seed'] in values else '-'
                file = f'{row.row.name}_{cell["seed"]}.json'
                lines.append(f'| `{file}` | {revision(cell["made_with"])} | {cell["train_seconds"]:.0f} | {value} |')
    if any(map(is_dirty, measured.cells)):
        lines.append(f'\n{DIRTY} The code had changes that are in no revision.')
    return '\n'.join(lines) + '\n'


def _whole(plans: Sequence[MeasuredPlan]) -> str:
    whole = [plan for plan in plans if plan.is_evidence]
    done, planned = sum(len(plan.cells) for plan in whole), sum(plan.planned for plan in whole)
    words = f'Of full length, judged by the test set: {done} of {planned} trainings.'
    if done:
        return words
    return f'{words} **No accuracy on CIFAR-100-LT is claimed yet**; every goal below is open.'


def _groups(measured: MeasuredPlan) -> str:
    """Edges of the shot groups, with the number of classes in each."""
    cell = next((cell for cell in measured.cells if cell.get('shot_groups') and cell.get('class_counts')), None)
    if cell is None:
        return 'not recorded'
    many, few, edges = (cell['shot_groups'].get(key) for key in ('many', 'few', 'edges'))
    sizes = {name: int(mask.sum()) for name, mask in shot_groups(cell['class_counts'], many, few, edges).items()}
    rules = (f'above {many}', f'below {few}') if edges == 'exclusive' else (f'{many} and more', f'{few} and fewer')
    return (
        f'`many` {rules[0]} ({sizes["many"]} classes), `few` {rules[1]} ({sizes["few"]}), '
        f'`medium` between ({sizes["medium"]})'
    )


def _chosen(measured: MeasuredPlan) -> str:
    """The row with the best mean on held-out images."""
    means = {row.row.name: found.mean for row in measured.rows if (found := row.spread('all'))}
    if not means:
        return 'Judged by images held out of the training set, never by the test set.'
    first = max(means, key=lambda name: means[name])
    return (
        'Judged by images held out of the training set, never by the test set. Highest mean over all classes: '
        f'`{first}`, {means[first]:.1f}.'
    )
