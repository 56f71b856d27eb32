"""``docs/understanding.md``: what records say of classes, balls and losses of trained networks."""

from collections.abc import Callable, Sequence
from pathlib import Path

from mmdrl.errors import ConfigError

from .looked_into import Pair, figure_names, has_balls, pairs, shown_pairs, with_dr_loss
from .measured import PLANS, RECORDS, MeasuredPlan, read_all
from .pages import between_marks
from .tables import LABELS, MEANINGS, corner, heading
from .understanding_tables import (
    BALLS,
    CENTROIDS,
    GRADIENTS,
    HELD_OUT,
    IN_BALL_FEW,
    NCM_FEW,
    NEAREST_FEW,
    PULL,
    PULL_ALL,
    Column,
    line_of,
    number,
    pair_table,
    row_table,
    signed,
    spread_of,
)

PAGE = 'docs/understanding.md'
PLAN = 'cifar100_lt'  # whose command stands on the page while there is nothing else


def write(root: Path, check: bool = False) -> list[str]:
    """Write the page if it is out of date, and its figures.

    Args:
        root: The repository.
        check: Write nothing, draw nothing.

    Returns:
        The page, below the repository, if it was written, or, with ``check``, if it is out of date; else nothing.

    Raises:
        ConfigError: If a plan is wrong, or the page is missing or lacks its marks.
        DataError: If a record is damaged or fits no plan.
    """
    plans = read_all(root)
    path = root / PAGE
    if not path.is_file():
        raise ConfigError(f'Expected a page to write tables into at {path}, found none.')
    old = path.read_text(encoding='utf-8')
    new = between_marks(old, answers(plans), PAGE)
    if not check:
        if new != old:
            path.write_text(new, encoding='utf-8')
        if (shown := first(plans)) is not None:
            from .understanding_figures import save  # matplotlib takes seconds, and tables are to be checked without

            save(shown, root / 'docs' / 'images')
    return [PAGE] * (new != old)


def first(plans: Sequence[MeasuredPlan]) -> MeasuredPlan | None:
    """The plan that answers best: a whole budget before a short one, the test set before a hold-out."""
    order = ('full', 'short')
    known = [plan for plan in plans if plan.plan.budget in order and pairs(plan)]
    return min(known, key=lambda entry: (order.index(entry.plan.budget), entry.plan.split != 'test'), default=None)


def answers(plans: Sequence[MeasuredPlan]) -> str:
    """What stands between the marks: the state, the first answers with figures, and all tables."""
    shown = first(plans)
    if shown is None:
        return (
            '**Open.** No pair of networks, with the DR loss and without it, has been trained on CIFAR-100-LT and '
            f'looked into yet. `python benchmarks/accuracy.py {PLANS}/{PLAN}.yaml` does both, and '
            '`python benchmarks/accuracy.py --report` fills this part.\n\n'
        )
    seen = [plan for plan in plans if plan.plan.budget != 'check' and with_dr_loss(plan)]
    parts = [
        _state(shown),
        _questions(shown, shown_pairs(shown)),
        _figures(shown),
        *(section(plan, plan.plan.budget != shown.plan.budget) for plan in seen),
    ]
    return '\n'.join(parts) + '\n'


def section(measured: MeasuredPlan, with_meaning: bool = True) -> str:
    """All tables of a plan, and what its budget means, unless that has been said."""
    parts = [f'### {heading(measured)}\n']
    if with_meaning and (meaning := MEANINGS.get(measured.plan.budget)):
        parts.append(f'**{LABELS[measured.plan.budget]}.** {meaning}\n')
    found, rows, label = pairs(measured), with_dr_loss(measured), corner(measured)
    if found:
        parts.append(f'Where the centroids lie, in percent:\n\n{pair_table(found, CENTROIDS, label)}')
        words = 'How near images lie to the training centroid of their class'
        parts.append(f'{words}, in percent of its distance to the nearest other:\n\n{pair_table(found, PULL, label)}')
    words = 'How hard the losses pull, gradients at the features and at the backbone'
    parts.append(f'{words}:\n\n{row_table(rows, GRADIENTS, label)}')
    balls = row_table([row for row in rows if has_balls(row)], BALLS, label)
    parts += [f'The balls, in percent:\n\n{balls}'] * bool(balls)
    name = measured.plan.name
    parts.append(f'Records, with revisions: [{RECORDS}/{name}](../{RECORDS}/{name}).\n')
    return '\n'.join(parts)


def _state(shown: MeasuredPlan) -> str:
    label, meaning = LABELS[shown.plan.budget], MEANINGS.get(shown.plan.budget, '')
    judge = 'the test set' if shown.plan.split == 'test' else 'images held out of the tail'
    said = f'**{label}.** {meaning} ' if label else ''
    return f'{said}First answers, from *{shown.plan.title}*, measured on {judge}:\n'


def _questions(shown: MeasuredPlan, found: Sequence[Pair]) -> str:
    """A line per question, a column per pair."""
    lines = [line_of([corner(shown), *(f'`{pair.name}`'.replace(' - ', '` - `') for pair in found)])]
    lines.append('|---' * (1 + len(found)) + '|')
    for question, answer in QUESTIONS.items():
        lines.append(line_of([question, *map(answer, found)]))
    lines.append(line_of(['seeds of both', *(_seeds_of_both(pair) for pair in found)]))
    mark = (
        'Percent, but for the gradients. Mean ± standard deviation over seeds, in differences those of both, paired, ± '
        'standard error, bold from two of them on over three seeds or more. Of many numbers some are bold by chance; a '
        'difference of a single seed has no standard error, and says nothing.'
    )
    return '\n'.join([*lines, '', f'{mark}\n'])


def _with(column: Column) -> Callable[[Pair], str]:
    return lambda pair: number(spread_of(pair.row, column), column.digits)


def _difference(column: Column) -> Callable[[Pair], str]:
    def answer(pair: Pair) -> str:
        change = pair.difference(*column.path, factor=column.factor)
        seeds = change.seeds if change else ()
        without, with_it = (number(spread_of(row, column, seeds), column.digits) for row in (pair.control, pair.row))
        return f'{without} to {with_it}: {signed(change, column.digits)}'

    return answer


def _premise(pair: Pair) -> str:
    many, few = (number(spread_of(pair.control, column), 1) for column in CENTROIDS[1:3])
    return f'{many} and {few}'


QUESTIONS: dict[str, Callable[[Pair], str]] = {
    'Are rare centroids worse known? Error over nearest without the loss, many and few': _premise,
    'Does the loss bring rare ones nearer? Error over nearest, few (less is better)': _difference(NEAREST_FEW),
    'Does it help to tell rare classes apart by centroids? NCM, few': _difference(NCM_FEW),
    'Does it help the classifier? Accuracy, few': _difference(Column('few', ('metrics', 'few'))),
    'Does it tighten classes? Within over between, held-out (less is tighter)': _difference(HELD_OUT),
    'Are the balls large enough? Held-out centroid in the ball, few': _with(IN_BALL_FEW),
    'How hard does it pull? Gradient over that of the classification loss, all images': _with(PULL_ALL),
}


def _figures(shown: MeasuredPlan) -> str:
    label = LABELS[shown.plan.budget]
    start = f'{label}. ' if label else ''
    told = {
        'gap': 'Difference that the DR loss makes to the accuracy of many-, medium- and few-shot classes, by the '
        'classifier and by the nearest class mean, a mark for each pair.',
        'centroids': 'Three panels against the training images of the class: centroid error over the distance to the '
        'nearest other centroid, the error over that of drawing so few images, and accuracy by the nearest class mean.',
        'gradients': 'Gradient of the DR loss over that of the classification loss, for images of many-, medium- and '
        'few-shot classes, and for the backbone, a mark for each method.',
        'balls': 'Radius of the balls and error of the centroids, both over the spread of held-out images, against the '
        'training images of the class.',
    }
    names = figure_names(shown)
    return '\n'.join(f'![{start}{told[name]}](images/understanding_{name}.png)\n' for name in names)


def _seeds_of_both(pair: Pair) -> str:
    return str(len({cell['seed'] for cell in pair.row.cells} & {cell['seed'] for cell in pair.control.cells}))
