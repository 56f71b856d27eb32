"""How accuracy falls with the number of training images, class by class.

Grey bars are the training images, from the largest class to the smallest; over them each run or
classifier has one marker per class and one line per shot group at the group's mean. Runs differ in
marker and line style as well as in colour, so the figure can be printed in grey.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from mmdrl.stats import Edges

from .class_axis import draw_counts, figure_height, label_groups, marker_places, marker_words, sort_classes
from .style import COLOURS, LINE_STYLES, MARKERS, MAX_TICK_LABELS, new_figure, plain_text


def class_accuracy_figure(
    class_counts: ArrayLike,
    per_class: Mapping[str, ArrayLike],
    *,
    class_names: Sequence[str] | None = None,
    many: int = 100,
    few: int = 20,
    edges: Edges = 'exclusive',
) -> Figure:
    """Figure of training images (bars, log scale) and accuracy (markers, percent) of every class.

    Args:
        class_counts: Training images per class, shape ``(K,)``.
        per_class: Accuracies in percent, shape ``(K,)``, under the name of their run or classifier. A
            nan, of a class without a test image, is left out.
        class_names: K names for the ticks, used up to 30 classes. None: the labels.
        many: Edge of the many-shot group, in images.
        few: Edge of the few-shot group, in images.
        edges: Whether a class exactly on an edge is medium, see :func:`mmdrl.stats.shot_groups`.

    Returns:
        The figure; its first axes hold the counts and its second axes the accuracies.

    Raises:
        DataError: If there is no class, or accuracies or names are not one per class.
    """
    accuracies = {name: np.asarray(values, dtype=np.float64) for name, values in per_class.items()}
    classes = sort_classes(class_counts, accuracies, class_names, many, few, edges)
    figure = new_figure(9, figure_height(classes))
    count_axes = figure.add_subplot()
    draw_counts(count_axes, classes)
    accuracy_axes = count_axes.twinx()
    accuracy_axes.set(ylim=(-3, 103), ylabel='accuracy (%)')
    accuracy_axes.grid(axis='y', color='0.8', linewidth=0.5)
    label_groups(accuracy_axes, classes)
    for number, (name, values) in enumerate(accuracies.items()):
        _draw_run(accuracy_axes, name, values[classes.order], classes.groups, number)
    if accuracies:
        figure.legend(
            loc='outside lower center',
            ncols=3 if max(map(len, accuracies)) <= 24 else 1,
            frameon=False,
            title=f'marker: {marker_words(classes.counts.size)}, line: mean of the group',
        )
    return figure


def _draw_run(
    axes: Axes, name: str, accuracy: NDArray[np.float64], groups: dict[str, NDArray[np.bool_]], number: int
) -> None:
    """One marker per class, and a line at the mean of each group."""
    colour = COLOURS[number % len(COLOURS)]
    line_style = LINE_STYLES[number % len(LINE_STYLES)]
    marker = MARKERS[number % len(MARKERS)]
    size = 6 if accuracy.size <= MAX_TICK_LABELS else 3
    places, values = marker_places(accuracy, groups)
    axes.plot(places, values, linestyle='none', marker=marker, markersize=size, fillstyle='none', color=colour)
    for mask in groups.values():
        members = np.flatnonzero(mask)
        if members.size and not np.isnan(accuracy[members]).all():
            ends = (members[0] - 0.5, members[-1] + 0.5)
            axes.plot(ends, (np.nanmean(accuracy[members]),) * 2, linestyle=line_style, linewidth=1.6, color=colour)
    # The legend shows marker and line as one entry.
    axes.plot([], [], linestyle=line_style, marker=marker, fillstyle='none', label=plain_text(name), color=colour)
