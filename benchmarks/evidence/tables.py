"""Tables of a plan in Markdown: accuracy by method, and differences paired by seed."""

from collections.abc import Iterable

from mmdrl.stats.spread import MIN_PAIRS, Difference, Spread, paired_difference

from .measured import MeasuredPlan, MeasuredRow
from .provenance import DIRTY, is_dirty
from .published import Published, published

SPACE = '\u00a0'  # numbers do not break there
# Headings, tables and figures of anything but a whole budget say so, in these words.
LABELS = {'full': '', 'short': 'SHORT BUDGET', 'check': 'CHECK OF THE MACHINERY'}
MEANINGS = {
    'short': 'Every training here is cut short. Nothing of it may be set beside a published number, or stand for the '
    'method: methods gain by longer training, and not all alike.',
    'check': 'These trainings show that the machinery works. Their numbers mean nothing.',
}
METRICS = {'many': 'many', 'medium': 'medium', 'few': 'few', 'all': 'all', 'ncm/all': 'NCM, all', 'ece': 'ECE'}
ACCURACIES = [metric for metric in METRICS if metric != 'ece']
_ONCE = '¹'


def heading(measured: MeasuredPlan) -> str:
    """Title of a plan, with what its budget is if that is not a whole one."""
    label = LABELS[measured.plan.budget]
    return measured.plan.title + f' ({label})' * bool(label)


def grouped(measured: MeasuredPlan) -> dict[str, list[MeasuredRow]]:
    """Rows that have a record, by group: groups by name, the rows of each in the order of the plan."""
    groups: dict[str, list[MeasuredRow]] = {}
    for row in sorted((row for row in measured.rows if row.cells), key=lambda row: row.row.group):
        groups.setdefault(row.row.group, []).append(row)
    return groups


def accuracy_table(measured: MeasuredPlan, link: str) -> str:
    """Mean and standard deviation over seeds, a line per method.

    Args:
        measured: With a record at least.
        link: To the folder of the records, from the page on which the table stands.
    """
    numbers = published(measured.plan.name) if measured.is_evidence else {}
    has_best = any(row.best() for row in measured.rows)
    is_test = measured.plan.split == 'test'
    best = 'best epoch, test-selected: not comparable' if is_test else 'best epoch, selected on the same images'
    columns = [corner(measured), 'seeds', 'epochs', 'parameters']
    columns += [*METRICS.values(), *[best] * has_best, *['published, all'] * bool(numbers)]
    lines = [line(columns), '|---' * len(columns) + '|']
    for group, rows in grouped(measured).items():
        if group:
            lines.append(line([f'*{group}*', *[''] * (len(columns) - 1)]))
        for row in rows:
            cells = [name_of(row, link), seeds_of(row), _single(row, 'epochs'), _single(row, 'parameters')]
            cells += [number(row.spread(metric)) for metric in METRICS]
            cells += [number(row.best())] * has_best
            cells += [_beside(numbers.get(row.row.name))] * bool(numbers)
            lines.append(line(cells))
    return '\n'.join([*lines, '', *_below(measured, numbers)]) + '\n'


def difference_table(measured: MeasuredPlan) -> str:
    """Methods minus their controls, then variants minus what they vary, over common seeds; empty without a pair."""
    lines = []
    rows = [row for rows in grouped(measured).values() for row in rows]
    pairs = [(row, row.row.control) for row in rows] + [(row, row.row.variant_of) for row in rows]
    for row, other in pairs:
        found = differences(measured, row, other)
        if found is None or found['all'] is None:
            continue
        whole = found['all']
        cells = [f'`{row.row.name}` - `{other}`', str(len(whole.seeds))]
        cells += [signed(found[metric]) for metric in ACCURACIES]
        lines.append(line([*cells, chance(whole), chance(found['few'])]))
    if not lines:
        return ''
    columns = [corner(measured), 'seeds', *(METRICS[metric] for metric in ACCURACIES), 'over all classes', 'few-shot']
    return '\n'.join([line(columns), '|---' * len(columns) + '|', *lines]) + '\n'


def differences(measured: MeasuredPlan, row: MeasuredRow, other: str) -> dict[str, Difference | None] | None:
    """A row minus another by metric; ``None`` if that has no name, or no record."""
    found = measured.row(other) if other else None
    if found is None or not found.cells:
        return None
    return {metric: paired_difference(row.values(metric), found.values(metric)) for metric in ACCURACIES}


def name_of(row: MeasuredRow, link: str) -> str:
    """Label of a row, and its name with a link to its records."""
    return f'{row.row.label} ([`{row.row.name}`]({link}))'.strip()


def seeds_of(row: MeasuredRow) -> str:
    """How many seeds there are, of how many, and whether the code of one had changes."""
    count = len(row.cells)
    text = str(count) if count >= row.row.seeds else f'{count} of {row.row.seeds}'
    return text + _ONCE * (count == 1) + DIRTY * any(map(is_dirty, row.cells))


def number(found: Spread | None) -> str:
    """Mean and standard deviation, or what there is of them."""
    if found is None:
        return '-'
    deviation = '' if found.std is None else f'{SPACE}±{SPACE}{found.std:.1f}'
    return f'{found.mean:.1f}{deviation}'


def signed(found: Difference | None) -> str:
    """Mean difference and standard error, or what there is of them."""
    if found is None:
        return '-'
    return f'{found.mean:+.2f}' + ('' if found.error is None else f'{SPACE}±{SPACE}{found.error:.2f}')


def chance(found: Difference | None) -> str:
    """What a difference says."""
    if found is None:
        return '-'
    if found.is_noise is not False:
        return few_seeds(len(found.seeds)) + 'cannot be told from chance'
    return 'better' if found.mean > 0 else 'worse'


def few_seeds(count: int) -> str:
    """``'one seed: '`` or ``'two seeds: '``, which allow no verdict; nothing for more."""
    return {1: 'one seed: ', 2: 'two seeds: '}.get(count, '') if count < MIN_PAIRS else ''


def sources(rows: Iterable[MeasuredRow], numbers: dict[str, Published]) -> list[str]:
    """A sentence that says where the published numbers of rows come from; none if there are none."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if entry := numbers.get(row.row.name):
            found.setdefault(entry.source + f' ({entry.note})' * bool(entry.note), []).append(f'`{row.row.name}`')
    said = '; '.join(f'{", ".join(names)}: {source}' for source, names in found.items())
    return [f'Published, not measured here. {said}.'] * bool(said)


def line(cells: Iterable[str]) -> str:
    """A line of a table."""
    return '|' + '|'.join(f' {cell} ' if cell else ' ' for cell in cells) + '|'


def _below(measured: MeasuredPlan, numbers: dict[str, Published]) -> list[str]:
    """Sentences that the marks of a table ask for, and the rows that are missing."""
    there = [row for row in measured.rows if row.cells]
    lines = []
    if any(len(row.cells) == 1 for row in there):
        lines.append(f'{_ONCE} One seed: nothing can be said of its spread.')
    if any(is_dirty(cell) for cell in measured.cells):
        lines.append(f'{DIRTY} The code had changes that are in no revision.')
    if missing := [f'`{row.row.name}`' for row in measured.rows if not row.cells]:
        lines.append(f'Not run yet: {", ".join(missing)}.')
    return [*lines, *sources(there, numbers)]


def corner(measured: MeasuredPlan) -> str:
    """First heading of a table: what the budget is, if it is not a whole one."""
    label = LABELS[measured.plan.budget]
    return f'**{label}**' if label else ''


def _beside(entry: Published | None) -> str:
    return '' if entry is None else f'{entry.all:g}'


def _single(row: MeasuredRow, key: str) -> str:
    return ' or '.join(f'{value:,}' for value in sorted({cell[key] for cell in row.cells}))
