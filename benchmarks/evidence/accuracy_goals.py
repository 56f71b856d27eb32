"""What the project set out to reach on CIFAR-100-LT at ratio 100, and whether it has.

Only trainings of whole budgets, judged by the test set at their last epoch, are looked at. The goals were set before
any of them had run.
"""

from collections.abc import Sequence
from typing import NamedTuple

from mmdrl.stats.spread import MIN_PAIRS, Difference, Spread

from .measured import PLANS, MeasuredPlan, MeasuredRow
from .tables import SPACE, chance, differences, few_seeds, signed


class Bound(NamedTuple):
    """Values of a metric that are good enough, in percent or points."""

    metric: str
    least: float
    most: float = float('inf')

    def holds(self, value: float) -> bool:
        """Whether a value is among them."""
        return self.least <= value <= self.most


class Goal(NamedTuple):
    """A mean over seeds, or a paired difference, that is to lie within a bound.

    Attributes:
        what: In words.
        row: Of the plan ``cifar100_lt``.
        bounds: One of them is enough.
        is_difference: Whether the row minus its control is meant.
        has_best: Whether the best epoch is named beside the last, as a published number was chosen by it.
    """

    what: str
    row: str
    bounds: tuple[Bound, ...]
    is_difference: bool = False
    has_best: bool = False


PLAN = 'cifar100_lt'
_RELEASED = (Bound('all', 46.31, 48.31),)
_EFFECT = (Bound('all', 0.5), Bound('few', 2.0))
GOALS = (
    Goal('released protocol, its fault included, within 1 of the published 47.31', 'drl-released-fault', _RELEASED,
         has_best=True),
    Goal('released protocol, mended, within 1 of 47.31', 'drl-released', _RELEASED, has_best=True),
    Goal('modern recipe with DR, 200 epochs: at least 50.0', 'drl-la', (Bound('all', 50.0),)),
    Goal('modern recipe with DR, 400 epochs: at least 52.5', 'drl-la-400', (Bound('all', 52.5),)),
    Goal('DR over the same recipe, 200 epochs: +0.5 over all classes, or +2 few-shot, beyond chance',
         'drl-la', _EFFECT, True),
    Goal('the same, 400 epochs', 'drl-la-400', _EFFECT, True),
)  # fmt: skip


def goal_table(plans: Sequence[MeasuredPlan]) -> str:
    """Goals with what is measured and ``met``, ``missed`` or ``open``, in Markdown."""
    plan = next((plan for plan in plans if plan.plan.name == PLAN and plan.is_evidence), None)
    lines = ['| goal | measured | |', '|---|---|---|']
    for goal in GOALS:
        measured, verdict = outcome(goal, plan)
        lines.append(f'| {goal.what} | {measured} | {verdict} |')
    command = f'python benchmarks/accuracy.py {PLANS}/{PLAN}.yaml'
    is_open = any('| open' in text for text in lines)
    return '\n'.join([*lines, *['', f'What is open waits for `{command}`.'] * is_open]) + '\n'


def outcome(goal: Goal, plan: MeasuredPlan | None) -> tuple[str, str]:
    """What is measured, in words, and ``met``, ``missed`` or ``open`` with what is to be known of it."""
    row = plan.row(goal.row) if plan else None
    if plan is None or row is None or not row.cells:
        return '-', 'open'
    return _difference(goal, plan, row) if goal.is_difference else _mean(goal, row)


def _mean(goal: Goal, row: MeasuredRow) -> tuple[str, str]:
    found = {bound: row.spread(bound.metric) for bound in goal.bounds}
    words = [f'{_exact(value)} {bound.metric}' for bound, value in found.items()]
    if goal.has_best and (best := row.best()):
        words.append(f'{_exact(best)} at the best epoch on the test set, as the published one was chosen')
    if len(row.cells) < MIN_PAIRS:
        return '; '.join(words), _too_few(len(row.cells))
    is_met = any(value is not None and bound.holds(value.mean) for bound, value in found.items())
    return '; '.join(words), ('met' if is_met else 'missed') + _so_far(len(row.cells), row.row.seeds)


def _difference(goal: Goal, plan: MeasuredPlan, row: MeasuredRow) -> tuple[str, str]:
    found = differences(plan, row, row.row.control) or {}
    pairs = {bound: found.get(bound.metric) for bound in goal.bounds}
    known: dict[Bound, Difference] = {bound: value for bound, value in pairs.items() if value is not None}
    if not known:
        return '-', f'open: `{row.row.control or goal.row}` has no seed in common with it'
    words = '; '.join(f'{signed(value)} {bound.metric}' for bound, value in known.items())
    seeds = max(len(value.seeds) for value in known.values())
    if seeds < MIN_PAIRS:
        return words, _too_few(seeds)
    reached = [value for bound, value in known.items() if bound.holds(value.mean)]
    if any(value.is_noise is False for value in reached):
        verdict = 'met'
    else:
        verdict = f'missed: {chance(reached[0])}' if reached else 'missed'
    return words, verdict + _so_far(seeds, row.row.seeds)


def _exact(found: Spread | None) -> str:
    if found is None:
        return '-'
    return f'{found.mean:.2f}' + ('' if found.std is None else f'{SPACE}±{SPACE}{found.std:.2f}')


def _too_few(seeds: int) -> str:
    return f'open: {few_seeds(seeds).removesuffix(": ")}'


def _so_far(seeds: int, planned: int) -> str:
    return f', with {seeds} of {planned} seeds so far' * (seeds < planned)
