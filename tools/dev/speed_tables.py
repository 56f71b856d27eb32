"""Tables of speed for the documentation: goals with what is measured, and the estimate of a large run.

Goals and arithmetic are those of ``benchmarks/goals.py`` and ``benchmarks/estimate.py``. Nothing is imported that takes
time.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

BENCHMARKS = Path(__file__).parents[2] / 'benchmarks'


def short_goals() -> str:
    """Table of the README."""
    goals = _module('goals')
    lines = ['| | goal | measured | where |', '|---|---|---|---|']
    for goal in goals.SHORT:
        measured = _measured(goal) + ', not met' * (goal.verdict(goal.number()) == 'not met')
        lines.append(f'| {_words(goal)} | {_bound(goal)} | {measured} | {_where(goal)} |')
    return '\n'.join(lines) + '\n\n'


def goals_and_estimate() -> str:
    """All goals with their verdicts, then the estimate, as ``docs/performance.md`` has them."""
    goals, estimate = _module('goals'), _module('estimate')
    lines = ['## Goals, and what is measured\n', '| | goal | measured | | made by |', '|---|---|---|---|---|']
    for goal in goals.GOALS:
        number = goal.number()
        cells = [_words(goal), _bound(goal), _measured(goal), goal.verdict(number), f'`{goal.command}`']
        if number is not None:
            cells[2] = f'[{cells[2]}](../benchmarks/results/{goal.file})'
        lines.append(f'| {" | ".join(cells)} |')
    lines.append('\n## An estimate: 64 GPUs, 10 million images, 100,000 classes\n')
    try:
        table = estimate.markdown(estimate.estimate(estimate.Setting(), estimate.read_constants()))
    except FileNotFoundError:
        table = 'Open: `python benchmarks/scaling.py` and `python benchmarks/distributed.py` make what it is made of.\n'
    lines.append(table)
    return '\n'.join(lines) + '\n'


def _words(goal: Any) -> str:
    return f'{goal.what}, {"GPU" if goal.device == "cuda" else "CPU"}'


def _bound(goal: Any) -> str:
    return f'{"at most" if goal.sign == "<=" else "at least"} {goal.target:g}'


def _measured(goal: Any) -> str:
    number = goal.number()
    return 'open' if number is None else f'{number:.3g}'


def _where(goal: Any) -> str:
    return f'`{goal.command}`' if goal.number() is None else f'[{goal.file}](benchmarks/results/{goal.file})'


def _module(name: str) -> ModuleType:
    if str(BENCHMARKS) not in sys.path:
        sys.path.append(str(BENCHMARKS))
    return importlib.import_module(name)
