"""Losses and learning rate over training."""

import numpy as np
from matplotlib.figure import Figure

from mmdrl.errors import DataError

from .curve_axes import Entries, column, finish_axes, plot_entries, progress
from .style import new_figure, plain_text, run_style, scale_rates


def loss_figure(train: Entries) -> Figure:
    """Figure of the losses and the learning rate over training.

    Args:
        train: Entries with ``iter`` and, if the run counts them, ``epoch``; ``loss`` and its parts, ``lr``, ``stage``.

    Returns:
        The figure; its first axes hold a line per loss, its second the learning rate.

    Raises:
        DataError: If no entry has a loss.
    """
    names = sorted({key for entry in train for key in entry if 'loss' in key.rpartition('/')[2]}, key=_total_first)
    if not names:
        raise DataError('There must be an entry with a loss at least to draw the losses, got none.')
    if len(names) == 2 and _same(train, *names):
        names = names[:1]  # the sum of one loss is that loss
    places = progress(train)
    figure = new_figure(9, 5.4)
    losses, rates = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for number, name in enumerate(names):
        plot_entries(losses, places, train, name, label=plain_text(name), **run_style(number))
    losses.set(ylabel='loss (mean of the last iterations)', ylim=(0, None))
    losses.legend(frameon=False)
    plot_entries(rates, places, train, 'lr', color='black', marker='o', linestyle='-')
    scale_rates(rates, np.nan_to_num(column(train, 'lr')))
    finish_axes((losses, rates), places, train)
    return figure


def _same(entries: Entries, one: str, other: str) -> bool:
    return bool(np.allclose(column(entries, one), column(entries, other), equal_nan=True))


def _total_first(name: str) -> tuple[bool, str]:
    return name != 'loss', name
