"""The stages of a run on one time axis: how long each is, what it does, and the learning rate below."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmdrl.errors import DataError

from .curve_axes import Entries, progress
from .plan_rows import wrapped
from .style import new_figure, plain_text, say_nothing_there, scale_rates

LETTERS = 118  # of a line of notes


def stage_timeline_figure(stages: Sequence[Mapping[str, Any]], train: Entries = ()) -> Figure:
    """Figure of the stages as bars over epochs, with words on each, and the learning rate that was logged.

    Args:
        stages: In order, each with ``name``, ``epochs`` (first and last, from 1), ``frozen`` (names of parts, hatched
            if there are any) and ``notes`` (what else to say, such as the sampler), both lists of words.
        train: Entries of the log with ``lr``, and ``epoch``; may be none.

    Returns:
        The figure; its first axes hold one bar per stage from the end of the epoch before its first to that of its
        last, its second the learning rate.

    Raises:
        DataError: If there is no stage, or one ends before it begins.
    """
    if not stages:
        raise DataError('There must be a stage at least to draw a timeline, got none.')
    for stage in stages:
        first, last = stage['epochs']
        if not 1 <= first <= last:
            raise DataError(
                f'Stage {stage["name"]!r} must have a first epoch from 1 and a last one, got {first}, {last}.'
            )
    texts = [_notes(stage) for stage in stages]
    heights = [1 + text.count('\n') + bool(text) for text in texts]  # lines
    figure = new_figure(9, 2.3 + 0.22 * sum(heights) + 0.2 * len(stages))
    bars, rates = figure.subplots(2, 1, sharex=True, height_ratios=(0.25 * sum(heights) + 0.2 * len(stages), 1.3))
    top = 0.0
    places = []
    for stage, text, height in zip(stages, texts, heights, strict=True):
        places.append(top + 0.4)
        _draw_stage(bars, stage, text, top)
        top += height + 0.6
    bars.set_yticks(places, [plain_text(stage['name'], 24) for stage in stages])
    bars.set(ylim=(top, -0.3))
    bars.tick_params(length=0)
    bars.tick_params(axis='x', labelbottom=False)
    for side in ('top', 'right', 'bottom'):
        bars.spines[side].set_visible(False)
    total = stages[-1]['epochs'][1]
    _draw_rates(rates, train)
    rates.set(xlim=(0, total), xlabel='epoch')
    rates.xaxis.set_major_locator(MaxNLocator(integer=True))
    for stage in stages[1:]:
        for axes in (bars, rates):
            axes.axvline(stage['epochs'][0] - 1, color='0.6', linewidth=0.8, linestyle=':', zorder=0)
    return figure


def _notes(stage: Mapping[str, Any]) -> str:
    parts = [*stage['notes'], *([f'frozen: {", ".join(stage["frozen"])}'] if stage['frozen'] else [])]
    return wrapped('; '.join(map(str, parts)), LETTERS).replace('$', r'\$')


def _draw_stage(axes: Axes, stage: Mapping[str, Any], text: str, top: float) -> None:
    """A bar with its epochs, hatched if something is frozen, and the notes below it across the whole figure."""
    first, last = stage['epochs']
    hatch = '///' if stage['frozen'] else None
    axes.barh(top + 0.4, last - first + 1, left=first - 1, height=0.7, color='0.8', edgecolor='0.35', hatch=hatch)
    epochs = f'epochs {first} to {last}' if last > first else f'epoch {first}'
    label = axes.annotate(epochs, ((first - 1 + last) / 2, top + 0.4), ha='center', va='center', fontsize=8)
    label.set_bbox(dict(facecolor='white', edgecolor='none', pad=1, alpha=0.85))
    axes.annotate(
        text, (0.005, top + 0.9), xycoords=('axes fraction', 'data'), va='top', fontsize=8, linespacing=1.15
    ).set_bbox(dict(facecolor='white', edgecolor='none', pad=0.5))


def _draw_rates(axes: Axes, train: Entries) -> None:
    entries = [entry for entry in train if entry.get('lr') and 'epoch' in entry]
    axes.grid(color='0.92', linewidth=0.5)
    if not entries:
        say_nothing_there(axes, 'No learning rate was logged.')
        axes.set(yticks=[], ylabel='learning rate')
        return
    values = np.array([entry['lr'] for entry in entries], dtype=float)
    axes.plot(progress(entries), values, color='black', linewidth=1.4)
    scale_rates(axes, values)
