"""The figures of ``docs/understanding.md``, from records alone; a budget that is not whole is said in the picture."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from mmdrl.stats.spread import spread
from mmdrl.visualization.representation_figures import Panel, class_size_figure
from mmdrl.visualization.style import new_figure, run_style

from .figure_title import write_title
from .looked_into import Pair, class_means, figure_names, has_balls, shown_pairs, shown_rows
from .measured import MeasuredPlan, MeasuredRow, values

GROUPS = ('many', 'medium', 'few')
# Panels against class size, and where their values stand in a record.
BY_SIZE = (
    (
        Panel('error_to_nearest', 'centroid error over distance\nto the nearest other centroid', 'ratio'),
        ('insight', 'per_class', 'error_to_nearest'),
    ),
    (
        Panel('error_to_expected', 'centroid error over that\nof drawing so few images', 'ratio'),
        ('insight', 'per_class', 'error_to_expected'),
    ),
    (
        Panel('ncm', 'accuracy of the nearest class mean\n(centroids kept by the run)', 'percent'),
        ('per_class', 'ncm'),
    ),
)
_STEP = 0.14  # between the marks of one place


def gap(measured: MeasuredPlan) -> Figure:
    """What the DR loss changes by shot group: paired differences of accuracy with standard errors, two panels."""
    figure = new_figure(9, 4.2)
    panels = figure.subplots(1, 2, sharey=True)
    rules = {'by the classifier': ('metrics',), 'by the nearest class mean': ('insight', 'accuracy', 'ncm')}
    shown = shown_pairs(measured)
    for axes, (title, path) in zip(panels, rules.items(), strict=True):
        axes.axhline(0, color='0.4', linewidth=0.9)
        for number, pair in enumerate(shown):
            found = [pair.difference(*path, group) for group in (*GROUPS, 'all')]
            means = [np.nan if each is None else each.mean for each in found]
            errors = [np.nan if each is None or each.error is None else each.error for each in found]
            _marks(axes, number, len(shown), means, errors, _pair_label(pair))
        axes.set_title(title, fontsize=10)
        _places(axes, [*GROUPS, 'all'])
    panels[0].set_ylabel('accuracy with the DR loss\nless that without (points)')
    _finish(figure, panels[0], measured, 'What the DR loss changes: mean and standard error over seeds')
    return figure


def centroids(measured: MeasuredPlan) -> Figure:
    """Errors of the centroids and accuracy of the nearest class mean against class size, with the loss and without."""
    shown = shown_pairs(measured)[:2]  # two lines each
    rows = {id(row): row for pair in shown for row in (pair.control, pair.row)}.values()
    found = {row.row.name: row for row in rows}
    drawn = [(panel, {name: class_means(row, *path) for name, row in found.items()}) for panel, path in BY_SIZE]
    figure = class_size_figure({name: _sizes(row) for name, row in found.items()}, drawn)
    return _titled(figure, measured, 'Classes by size, means over seeds')


def gradients(measured: MeasuredPlan) -> Figure:
    """How hard the DR loss pulls beside the classification loss, by shot group and over the backbone, a log scale."""
    rows = shown_rows(measured)
    figure = new_figure(7, 4.4)
    axes = figure.subplots()
    places = [('insight', 'gradients', 'features', group, 'ratio') for group in (*GROUPS, 'all')]
    places.append(('insight', 'gradients', 'backbone', 'ratio'))
    axes.axhline(1, color='0.4', linewidth=0.9)
    for number, row in enumerate(rows):
        found = [spread(list(values(row, *path).values())) for path in places]
        means = [np.nan if each is None else each.mean for each in found]
        errors = [np.nan if each is None or each.std is None else each.std for each in found]
        _marks(axes, number, len(rows), means, errors, f'{row.row.name}, {_seeds(len(values(row, *places[-2])))}')
    axes.set_yscale('log')
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 1e3 else (1,)))
    axes.yaxis.set_major_formatter('{x:g}')
    axes.yaxis.set_minor_formatter(NullFormatter())
    _places(axes, [*(f'{group}-shot' for group in GROUPS), 'all images', 'backbone'])
    axes.set_ylabel('gradient of the DR loss over that\nof the classification loss (log scale)')
    _finish(figure, axes, measured, 'How hard the losses pull: mean and standard deviation over seeds')
    return figure


def balls(measured: MeasuredPlan) -> Figure:
    """Radius and centroid error over the spread of held-out images, against class size, a panel per method."""
    rows = [row for row in shown_rows(measured) if has_balls(row)][:3]  # a panel each
    names = ('radius of the ball', 'distance of training and held-out centroid')
    sizes = {name: _sizes(rows[0]) for name in names}
    panels = [
        (
            Panel('to_spread', row.row.name, 'over the spread of held-out images'),
            dict(
                zip(
                    names,
                    (_radius_to_spread(row), class_means(row, 'insight', 'per_class', 'error_to_spread')),
                    strict=True,
                )
            ),
        )
        for row in rows
    ]
    figure = class_size_figure(sizes, panels)
    top = max(axes.get_ylim()[1] for axes in figure.axes)
    for axes in figure.axes:
        axes.set_ylim(top=top)
    return _titled(figure, measured, 'Balls and errors, means over seeds')


FIGURES: dict[str, Callable[[MeasuredPlan], Figure]] = dict(
    gap=gap, centroids=centroids, gradients=gradients, balls=balls
)


def save(measured: MeasuredPlan, folder: Path) -> None:
    """Write the figures of a plan with pairs, ``understanding_<name>.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in figure_names(measured):
        path = folder / f'understanding_{name}.png'
        FIGURES[name](measured).savefig(path, dpi=100, facecolor='white', metadata={'Software': None})


def _marks(axes: Axes, number: int, total: int, means: Sequence[float], errors: Sequence[float], label: str) -> None:
    style: dict[str, Any] = {**run_style(number), 'linestyle': 'none'}
    places = np.arange(len(means)) + _STEP * (number - (total - 1) / 2)
    axes.errorbar(places, means, yerr=errors, **style, markersize=6, fillstyle='none', capsize=3, label=label)


def _places(axes: Axes, names: Sequence[str]) -> None:
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.grid(axis='y', color='0.9', linewidth=0.5)
    axes.set_axisbelow(True)


def _finish(figure: Figure, axes: Axes, measured: MeasuredPlan, title: str) -> None:
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc='outside lower center', ncols=len(names) or 1, frameon=False, fontsize=9)
    _titled(figure, measured, title)


def _titled(figure: Figure, measured: MeasuredPlan, title: str) -> Figure:
    figure.set_figwidth(max(figure.get_figwidth(), 7.5))  # or a single panel would cut the title off
    figure.get_layout_engine().set(h_pad=0.12)
    write_title(figure, measured, title)
    return figure


def _pair_label(pair: Pair) -> str:
    both = {cell['seed'] for cell in pair.row.cells} & {cell['seed'] for cell in pair.control.cells}
    return f'{pair.name}, {_seeds(len(both))}'


def _seeds(count: int) -> str:
    return f'{count} seed{"s" * (count != 1)}'


def _sizes(row: MeasuredRow) -> Any:
    return np.asarray(row.cells[0]['class_counts'])


def _radius_to_spread(row: MeasuredRow) -> Any:
    """Radii over the spread of held-out images, shape ``(K,)``."""
    radius = class_means(row, 'insight', 'per_class', 'radius')
    held_out = class_means(row, 'insight', 'per_class', 'spread_test')
    return None if radius is None or held_out is None else radius / np.where(held_out > 0, held_out, np.nan)
