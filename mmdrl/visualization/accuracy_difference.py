"""What a second run or classifier gains over a first one, class by class.

Classes go from the largest to the smallest, as everywhere. A class that gains points up, one that loses points down,
and a line stands at the mean of each shot group: it is what the difference of the two group accuracies is made of.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from mmdrl.stats import Edges

from .class_axis import (
    SortedClasses,
    figure_height,
    label_classes,
    label_groups,
    marker_places,
    marker_words,
    sort_classes,
)
from .style import new_figure, plain_text, say_nothing_there

GAIN, LOSS = '#0072B2', '#D55E00'


def accuracy_difference_figure(
    class_counts: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    names: tuple[str, str] = ('the first', 'the second'),
    class_names: Sequence[str] | None = None,
    many: int = 100,
    few: int = 20,
    edges: Edges = 'exclusive',
) -> Figure:
    """Figure of second minus first accuracy of every class, in points.

    Args:
        class_counts: Training images per class, shape ``(K,)``.
        first: Accuracies in percent, shape ``(K,)``.
        second: Likewise. A class that is nan in one of them is left out.
        names: Of the two.
        class_names: K names for the ticks, used up to 30 classes. None: the labels.
        many: Edge of the many-shot group, in images.
        few: Edge of the few-shot group, in images.
        edges: Whether a class exactly on an edge is medium, see :func:`mmdrl.stats.shot_groups`.

    Returns:
        The figure; its only axes hold a collection of the classes that gain, one of those that lose, one of those
        that stay, and a line per group.

    Raises:
        DataError: If there is no class, or accuracies or names are not one per class.
    """
    values = {'first': np.asarray(first, dtype=np.float64), 'second': np.asarray(second, dtype=np.float64)}
    classes = sort_classes(class_counts, values, class_names, many, few, edges)
    difference = (values['second'] - values['first'])[classes.order]
    figure = new_figure(9, figure_height(classes))
    axes = figure.add_subplot()
    before, after = (plain_text(name, 40) for name in names)
    axes.set(ylabel=f'difference in accuracy (points)\nabove 0: {after} is better')
    axes.axhline(0, color='0.3', linewidth=0.8)
    axes.grid(axis='y', color='0.9', linewidth=0.5)
    axes.set_axisbelow(True)
    label_classes(axes, classes)
    known = difference[~np.isnan(difference)]
    if known.size == 0:
        say_nothing_there(axes, 'No class has an accuracy in both.')
    drawn = marker_places(difference, classes.groups)[1]
    low, high = (float(end(drawn[~np.isnan(drawn)], initial=least)) for end, least in ((np.min, -1.0), (np.max, 1.0)))
    axes.set_ylim(low - 0.08 * (high - low), high + 0.2 * (high - low))  # room for the means on top
    _draw_classes(axes, difference, classes.groups)
    label_groups(axes, classes)
    _draw_means(axes, difference, classes)
    figure.suptitle(f'{after} minus {before}', fontsize=10)
    title = f'marker: {marker_words(difference.size)}'
    figure.legend(loc='outside lower center', ncols=4, frameon=False, title=title)
    return figure


def _draw_classes(axes: Axes, classes_difference: NDArray[np.float64], groups: Mapping[str, NDArray[np.bool_]]) -> None:
    places, difference = marker_places(classes_difference, groups)
    kinds = {
        'better': (difference > 0, GAIN, '^'),
        'worse': (difference < 0, LOSS, 'v'),
        'equal': (difference == 0, '0.5', 'o'),
    }
    for name, (mask, colour, marker) in kinds.items():
        axes.vlines(places[mask], 0, difference[mask], color=colour, linewidth=1)
        axes.scatter(
            places[mask],
            difference[mask],
            s=26,
            marker=marker,
            facecolors='none' if name == 'worse' else colour,  # filled means better: that shows in grey, too
            edgecolors=colour,
            label=f'{name}: {int(mask.sum()):,}',
            zorder=3,
        )


def _draw_means(axes: Axes, difference: NDArray[np.float64], classes: SortedClasses) -> None:
    """A line at the mean of each group, with its value."""
    is_first = True
    for mask in classes.groups.values():
        members = np.flatnonzero(mask)
        own = difference[members][~np.isnan(difference[members])]
        if own.size == 0:
            continue
        ends = (members[0] - 0.5, members[-1] + 0.5)
        label = 'mean of the group' if is_first else None
        axes.plot(ends, (own.mean(),) * 2, color='black', linestyle='--', linewidth=1.8, label=label, zorder=4)
        is_first = False
        axes.annotate(
            f'mean {own.mean():+.1f}',
            (members.mean(), 0.95),
            xycoords=('data', 'axes fraction'),
            ha='center',
            va='center',
            fontsize=9,
            fontweight='bold',
        )
