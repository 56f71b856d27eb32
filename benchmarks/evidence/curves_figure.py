"""Losses and accuracy of the methods of a plan over the epochs."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmdrl.visualization.style import COLOURS, LINE_STYLES, new_figure, plain_text, say_nothing_there

from .figure_title import write_title
from .measured import MeasuredPlan, MeasuredRow
from .tables import grouped


def accuracy_curves(measured: MeasuredPlan) -> Figure:
    """Losses of training, means over seeds, a line of panels for each group of methods.

    Accuracy on the way stands beside them, if it was measured.
    """
    groups = grouped(measured)
    columns = 1 + any(map(_has_way, measured.rows))
    figure = new_figure(11, 0.7 + sum(1.0 + max(1.5, 0.21 * len(rows)) for rows in groups.values()))
    panels = figure.subplots(len(groups), columns, squeeze=False)
    for line, (group, rows) in zip(panels, groups.items(), strict=True):
        last = max(cell['epochs'] for row in rows for cell in row.cells)
        for axes in line:
            axes.grid(color='0.92', linewidth=0.5)
            axes.set_axisbelow(True)
            axes.set_xlim(0, last * 1.02)
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        _draw_losses(line[0], rows)
        line[0].set_title(plain_text(group or 'training'), fontsize=10, loc='left')
        if columns == 2:
            _draw_accuracies(line[1], rows, 'test set' if measured.plan.split == 'test' else 'held-out images')
        look = dict(frameon=False, fontsize=8, loc='center left', bbox_to_anchor=(1, 0.5), handlelength=3)
        line[-1].legend(*line[0].get_legend_handles_labels(), **look)
    for axes in panels[-1]:
        axes.set_xlabel('epoch')
    write_title(figure, measured, 'means over seeds; thin: the DR loss alone, weighted')
    return figure


def _has_way(row: MeasuredRow) -> bool:
    """Whether accuracy was measured before the end."""
    return any(len((cell.get('curve') or {}).get('val') or []) > 1 for cell in row.cells)


def _draw_losses(axes: Axes, rows: Sequence[MeasuredRow]) -> None:
    """The sum of all losses, and thin the DR loss alone."""
    for number, row in enumerate(rows):
        curves = [(cell.get('curve') or {}).get('train') or [] for cell in row.cells]
        label = fill(plain_text(row.row.label or row.row.name, 80), 34)
        epochs, means = mean_curve(curves, 'loss')
        axes.plot(epochs, means, linewidth=1.6, label=label, **_look(number, len(epochs)))
        axes.plot(*mean_curve(curves, 'loss_dr'), linewidth=0.8, **_look(number, len(epochs)) | dict(marker=''))
    axes.set(ylabel='loss', ylim=(0, None))


def _draw_accuracies(axes: Axes, rows: Sequence[MeasuredRow], judge: str) -> None:
    """Accuracy over all classes, of the methods for which it was measured on the way."""
    for number, row in enumerate(rows):
        if _has_way(row):
            epochs, means = mean_curve([(cell.get('curve') or {}).get('val') or [] for cell in row.cells], 'all')
            axes.plot(epochs, means, linewidth=1.6, **_look(number, len(epochs)))
    if axes.lines:
        axes.set(ylabel=f'all (%), {judge}')
    else:
        say_nothing_there(axes, 'measured at the end alone')
        axes.set_yticks([])


def _look(number: int, points: int) -> dict[str, Any]:
    return dict(
        color=COLOURS[number % len(COLOURS)],
        linestyle=LINE_STYLES[(number + number // len(COLOURS)) % len(LINE_STYLES)],
        marker='osD^vx'[(number + 2 * (number // len(COLOURS))) % 6],  # in grey the line alone would not tell
        markersize=4,
        markevery=max(1, points // 8),
    )


def mean_curve(curves: Sequence[Sequence[dict[str, Any]]], key: str) -> tuple[list[int], list[float]]:
    """Epochs that have the key in every curve, and the means over the curves there.

    Args:
        curves: One for each seed, entries with ``epoch``.
        key: Of the value; entries without it are left out.
    """
    found = [{entry['epoch']: entry[key] for entry in curve if entry.get(key) is not None} for curve in curves]
    epochs = sorted(set.intersection(*map(set, found))) if found else []
    return epochs, [float(np.mean([values[epoch] for values in found])) for epoch in epochs]
