"""How accuracy falls with the number of training images, class by class.

Grey bars are the training images, from the largest class to the smallest; over them each run or
classifier has one marker per class and one line per shot group at the group's mean. Runs differ in
marker and line style as well as in colour, so the figure can be printed in grey.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from mmdrl.errors import DataError
from mmdrl.stats import Edges, shot_groups

# Okabe and Ito's palette, dark ones first: told apart by the colour-blind, and by lightness in grey.
COLOURS = ('#0072B2', '#D55E00', '#000000', '#009E73', '#CC79A7', '#56B4E9')
MARKERS = ('o', '^', 'x', 's', 'D', '+')
LINE_STYLES = ('-', '--', ':', '-.', (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
MAX_TICK_LABELS = 30


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
    counts = np.asarray(class_counts)
    if counts.ndim != 1 or counts.size == 0:
        raise DataError(f'class_counts must have shape (K,) with K at least 1, got {counts.shape}.')
    accuracies = {name: np.asarray(values, dtype=np.float64) for name, values in per_class.items()}
    for name, values in {**accuracies, 'class_names': np.asarray(class_names or counts)}.items():
        if values.shape != counts.shape:
            raise DataError(f"'{name}' must have one value for each of {counts.size} classes, got {values.shape}.")
    order = np.argsort(-counts, kind='stable')
    ranks = np.arange(counts.size)

    figure = Figure(figsize=(9, 4.5), layout='constrained')
    FigureCanvasAgg(figure)
    count_axes = figure.add_subplot()
    count_axes.bar(ranks, counts[order], width=0.8, color='0.85', edgecolor='0.7', linewidth=0.5)
    count_axes.set(yscale='log', ylim=(0.8, counts.max() * 1.5), xlim=(-0.6, counts.size - 0.4))
    count_axes.yaxis.set_major_formatter('{x:g}')
    count_axes.set_ylabel('training images per class (bars, log scale)')
    if counts.size <= MAX_TICK_LABELS:
        names = [str(label) for label in (class_names or range(counts.size))]
        is_long = max(map(len, names)) > 4
        count_axes.set_xticks(ranks, [names[label] for label in order], rotation=60 * is_long)
        for tick in count_axes.get_xticklabels() if is_long else ():
            tick.set(ha='right', rotation_mode='anchor')
        count_axes.set_xlabel('class, by training images')
    else:
        count_axes.set_xlabel('rank of the class by training images (0 is the largest)')

    groups = {name: mask[order] for name, mask in shot_groups(counts, many, few, edges).items()}
    accuracy_axes = count_axes.twinx()
    accuracy_axes.set(ylim=(-3, 103), ylabel='accuracy (%)')
    accuracy_axes.grid(axis='y', color='0.8', linewidth=0.5)
    _label_groups(accuracy_axes, groups, many, few, edges)
    for number, (name, values) in enumerate(accuracies.items()):
        _draw_run(accuracy_axes, name, values[order], groups, number)
    if accuracies:
        figure.legend(
            loc='outside lower center', ncols=3, frameon=False, title='marker: class, line: mean of the group'
        )
    return figure


def _label_groups(axes: Axes, groups: dict[str, NDArray[np.bool_]], many: int, few: int, edges: Edges) -> None:
    """Write each group's name over its classes, and draw a line where one group ends."""
    if edges == 'exclusive':
        rules = {'many': f'> {many}', 'medium': f'{few} to {many}', 'few': f'< {few}'}
    else:
        rules = {'many': f'≥ {many}', 'medium': f'{few + 1} to {many - 1}', 'few': f'≤ {few}'}
    for name, mask in groups.items():
        members = np.flatnonzero(mask)
        if members.size == 0:
            continue
        if members[0] > 0:
            axes.axvline(members[0] - 0.5, color='0.3', linewidth=0.8)
        text = f'{name}-shot ({rules[name]})\n{members.size} {"class" if members.size == 1 else "classes"}'
        axes.annotate(text, (members.mean(), 1.01), xycoords=('data', 'axes fraction'), ha='center', fontsize=8)


def _draw_run(
    axes: Axes, name: str, accuracy: NDArray[np.float64], groups: dict[str, NDArray[np.bool_]], number: int
) -> None:
    """One marker per class, and a line at the mean of each group."""
    colour = COLOURS[number % len(COLOURS)]
    line_style = LINE_STYLES[number % len(LINE_STYLES)]
    size = 6 if accuracy.size <= MAX_TICK_LABELS else 3
    ranks = np.arange(accuracy.size)
    marker = MARKERS[number % len(MARKERS)]
    axes.plot(ranks, accuracy, linestyle='none', marker=marker, markersize=size, fillstyle='none', color=colour)
    for mask in groups.values():
        members = np.flatnonzero(mask)
        if members.size and not np.isnan(accuracy[members]).all():
            ends = (members[0] - 0.5, members[-1] + 0.5)
            axes.plot(ends, (np.nanmean(accuracy[members]),) * 2, linestyle=line_style, linewidth=1.6, color=colour)
    # The legend shows marker and line as one entry.
    axes.plot([], [], linestyle=line_style, marker=marker, fillstyle='none', label=name, color=colour)
