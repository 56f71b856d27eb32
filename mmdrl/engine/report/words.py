"""Numbers as texts, and what they say in sentences that claim no more than they show."""

from collections.abc import Sequence

from mmdrl.stats.spread import Difference, Spread
from mmdrl.visualization.tables import COLUMNS

from .groups import RunGroup, pairs

FEW_SEEDS = 5  # below, a standard error is itself little more than a guess
_NAMES = {
    'balanced': 'balanced accuracy, %',
    'macro_f1': 'macro F1, %',
    'worst_class': 'worst class, %',
    'head_tail_gap': 'head-tail gap (many less few), points',
    'ece': 'expected calibration error, %',
    'mce': 'maximum calibration error, %',
    'brier': 'Brier score, 0 to 2',
}


def with_spread(value: Spread | None, digits: int = 1) -> str:
    """``85.0 ± 2.7``; without a spread if there is one value, a dash if there is none."""
    if value is None:
        return '-'
    return f'{value.mean:.{digits}f}' + ('' if value.std is None else f' ± {value.std:.{digits}f}')


def signed(value: Difference | None) -> str:
    """``+3.4 ± 0.5 *``; the star says that it lies at least two standard errors from 0."""
    if value is None:
        return '-'
    error = '' if value.error is None else f' ± {value.error:.1f}'
    return f'{_tenths(value.mean)}{error}{" *" if value.is_noise is False else ""}'


def _tenths(points: float) -> str:
    return f'{round(points, 1) + 0.0:+.1f}'  # never -0.0


def measure_name(key: str) -> str:
    """Name of a metric in words, with its unit if it is one of mmdrl's."""
    classifier, _, name = key.rpartition('/')
    base, _, group = name.rpartition('_')
    if group not in COLUMNS:
        base, group = name, ''
    where = ', '.join(part for part in (group, classifier) if part)
    return (_NAMES.get(base) or base) + (f' ({where})' if where else '')


def unit_digits(key: str) -> int:
    """Digits after the point: percents need one, the Brier score three."""
    return 3 if 'brier' in key else 1


def group_edges(rules: dict[str, object]) -> str:
    """What many, medium and few mean, in words."""
    if not rules:
        return ''
    many, few, edges = rules.get('many'), rules.get('few'), rules.get('edges')
    if edges == 'inclusive':
        return f'many: classes of {many} training images or more; few: of {few} or fewer; medium: between.'
    return f'many: classes of more than {many} training images; few: of fewer than {few}; medium: from {few} to {many}.'


def summary(groups: Sequence[RunGroup]) -> list[str]:
    """Items of a list: what each group has reached, how each pair differs, and what to beware of; of finished runs."""
    finished = [group for group in groups if group.is_finished and group.spread('all')]
    sentences = [_reached(group) for group in finished]
    sentences += [_compared(other, first) for first, other in pairs(finished)]
    counts = [len(group.by_seed('all')) for group in finished]
    if finished and max(counts) == 1:
        sentences.append('One seed says nothing about chance: train more before you compare.')
    elif len(finished) > 1 and min(counts) < FEW_SEEDS:
        sentences.append(f'With fewer than {FEW_SEEDS} seeds a standard error is itself uncertain.')
    return sentences


def _reached(group: RunGroup) -> str:
    every, few = group.spread('all'), group.spread('few')
    count = len(group.by_seed('all'))
    text = f'{group.name} gets {with_spread(every)} % of all images right'
    text += f' and {with_spread(few)} % of those of few-shot classes' if few else ''
    return f'{text} ({"one seed" if count == 1 else f"{count} seeds"}).'


def _compared(group: RunGroup, first: RunGroup) -> str:
    found = {column: gap for column in ('few', 'all', 'many') if (gap := group.less(first, column)) is not None}
    if not found:
        return f'{group.name} and {first.name} share no seed, so they are not compared in pairs.'
    parts = [_gap(column, gap) for column, gap in found.items() if not _is_nothing(gap)]
    same = [column for column, gap in found.items() if _is_nothing(gap)]
    parts += [f'no difference in {" and ".join(same)}'] if same else []
    return f'{group.name} less {first.name} on the same seeds: {"; ".join(parts)}.'


def _gap(column: str, gap: Difference) -> str:
    if gap.is_noise is None:
        seeds = 'one seed' if gap.n == 1 else f'{gap.n} seeds'
        return f'{_tenths(gap.mean)} points in {column}, which {seeds} cannot tell from chance'
    text = f'{_tenths(gap.mean)} ± {gap.error:.1f} points in {column}'
    return f'{text}, within the noise' if gap.is_noise else text


def _is_nothing(gap: Difference) -> bool:
    """Whether it is 0, and its error as well, in tenths of a point."""
    return round(abs(gap.mean), 1) == 0 and round(gap.error or 0.0, 1) == 0
