"""Accuracies of the shot groups over training, of one run or several."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmdrl.errors import DataError

from .curve_axes import Entries, finish_axes, plot_entries, progress
from .style import GROUP_STYLES, new_figure, plain_text, run_style


def accuracy_figure(val: Entries) -> Figure:
    """Figure of many / medium / few / all over training, one panel per classifier.

    Args:
        val: One entry per validation with ``epoch`` (or ``iter``), metrics, ``stage``.

    Returns:
        The figure; axes for the linear classifier and, if it was measured, for the nearest class mean.

    Raises:
        DataError: If no entry has an accuracy.
    """
    panels = [
        (prefix, title) for prefix, title in (('', 'linear'), ('ncm/', 'nearest class mean')) if _has(val, prefix)
    ]
    if not panels:
        raise DataError('There must be a validation with many, medium, few or all to draw accuracies, got none.')
    places = progress(val)
    figure = new_figure(4.8 * len(panels) + 0.6, 4.2)
    panels_axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
    for axes, (prefix, title) in zip(panels_axes, panels, strict=True):
        for group, style in GROUP_STYLES.items():
            look = dict(color=style.colour, marker=style.marker, linestyle=style.line_style)
            plot_entries(axes, places, val, prefix + group, label=group, **look)
        finish_axes((axes,), places, val)
        axes.set_title(title, pad=6 + 12 * any(entry.get('stage') for entry in val))  # above the names of the stages
    panels_axes[0].set(ylabel='accuracy (%)', ylim=(-2, 102))
    handles, labels = panels_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', ncols=4, frameon=False)
    return figure


def run_accuracy_figure(runs: Mapping[str, Entries], prefix: str = '') -> Figure:
    """Figure of the accuracies of several runs over training, one panel per group.

    Args:
        runs: Validations as in :func:`accuracy_figure`, by the name of the run.
        prefix: ``'ncm/'`` for the nearest class mean.

    Returns:
        The figure; axes for many, medium, few and all, each with a line per run.

    Raises:
        DataError: If no entry has an accuracy.
    """
    if not any(_has(val, prefix) for val in runs.values()):
        raise DataError('There must be a validation with many, medium, few or all to draw accuracies, got none.')
    figure = new_figure(12, 3.6)
    panels = figure.subplots(1, 4, sharey=True)
    for axes, group in zip(panels, GROUP_STYLES, strict=True):
        for number, (name, val) in enumerate(runs.items()):
            plot_entries(axes, progress(val), val, prefix + group, label=plain_text(name, 40), **run_style(number))
        axes.set(title=group, xlabel='epoch' if all('epoch' in e for v in runs.values() for e in v) else 'iteration')
        axes.grid(color='0.92', linewidth=0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].set(ylabel='accuracy (%)', ylim=(-2, 102))
    figure.legend(
        *panels[-1].get_legend_handles_labels(),
        loc='outside lower center',
        ncols=2 if len(runs) < 9 else 3,
        frameon=False,
    )
    return figure


def _has(entries: Entries, prefix: str) -> bool:
    return any(entry.get(prefix + group) is not None for entry in entries for group in GROUP_STYLES)
