"""How the images are spread over the classes: one falling curve per data set.

The classes are sorted by their images and the counts stand on a logarithmic axis, where the exponential profile
is a straight line. Curves differ in line style and in lightness, so the figure can be printed in grey.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from mmdrl.errors import DataError
from mmdrl.stats import Edges, shot_groups

from .style import COLOURS, LINE_STYLES, MAX_TICK_LABELS, NAME_LENGTH, group_rules, new_figure, plain_text, shares

LEGEND_ROWS = 12


def class_counts_figure(
    counts: Mapping[str, ArrayLike], *, many: int = 100, few: int = 20, edges: Edges = 'exclusive'
) -> Figure:
    """Figure of images per class, sorted, of one data set or several.

    The classes lie on the axis by their rank; where the sets have different numbers of classes, by their share. A
    class without an image has no place on a logarithmic axis and is left out.

    Args:
        counts: Images per class, shape ``(K,)``, under the name of the set.
        many: Edge of the many-shot group, in images.
        few: Edge of the few-shot group, in images.
        edges: Whether a class exactly on an edge is medium, see :func:`mmdrl.stats.shot_groups`.

    Returns:
        The figure; its only axes hold one line per set.

    Raises:
        DataError: If there is no set, or one without an image.
    """
    sets = {name: np.asarray(values) for name, values in counts.items()}
    if not sets:
        raise DataError('There must be a data set at least to draw its counts, got none.')
    for name, values in sets.items():
        if values.ndim != 1 or values.size == 0 or not values.max() > 0:
            raise DataError(f"The counts of '{name}' must have shape (K,) and an image, got shape {values.shape}.")

    figure = new_figure(9, 4.5)
    axes = figure.add_subplot()
    sizes = {values.size for values in sets.values()}
    for number, (name, values) in enumerate(sets.items()):
        # Falling widths leave an edge to see of a curve that a later one covers.
        linewidth = 1.6 + 1.8 * (1 - (number + 1) / len(sets))
        label = plain_text(name, NAME_LENGTH if len(sets) <= LEGEND_ROWS else NAME_LENGTH // 2)  # two columns
        _draw_curve(axes, label, values, number, len(sizes) > 1, linewidth, shot_groups(values, many, few, edges))
    if len(sizes) > 1:
        axes.set(xlabel='classes, from the largest to the smallest (%)', xlim=(-1, 101))
    else:
        axes.set(xlabel='rank of the class by its images (1 is the largest)', xlim=(0.5, max(sizes) + 0.5))
        if max(sizes) <= MAX_TICK_LABELS:
            axes.set_xticks(range(1, max(sizes) + 1))
    smallest = min(values[values > 0].min() for values in sets.values())
    largest = max(values.max() for values in sets.values())
    _scale(axes, min(smallest, few or smallest) / 1.6, max(largest, many) * 1.6)
    _mark_groups(axes, many, few, edges)
    figure.legend(
        loc='outside lower center',
        ncols=1 if len(sets) <= LEGEND_ROWS else 2,
        frameon=False,
        title='classes that are many / medium / few-shot in brackets',
        fontsize=9,
        title_fontsize=9,
        handlelength=3.5,
    )
    figure.set_figheight(4.2 + 0.22 * min(len(sets), LEGEND_ROWS))
    return figure


def _draw_curve(
    axes: Axes,
    name: str,
    counts: NDArray[np.int64],
    number: int,
    is_share: bool,
    linewidth: float,
    groups: dict[str, NDArray[np.bool_]],
) -> None:
    drawn = np.sort(counts[counts > 0])[::-1]
    rank = np.arange(1, drawn.size + 1)
    empty = f', {counts.size - drawn.size} empty' if drawn.size < counts.size else ''
    axes.plot(
        100 * (rank - 0.5) / counts.size if is_share else rank,
        drawn,
        color=COLOURS[number % len(COLOURS)],
        # A second round of colours comes with other line styles.
        linestyle=LINE_STYLES[(number + number // len(COLOURS)) % len(LINE_STYLES)],
        linewidth=linewidth,
        marker='o' if counts.size <= MAX_TICK_LABELS else None,
        markersize=4,
        label=f'{name}: {counts.sum():,} images ({shares(groups)}{empty})',
    )


def _scale(axes: Axes, lowest: float, highest: float) -> None:
    axes.set(yscale='log', ylim=(lowest, highest), ylabel='images per class (log scale)')
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if highest / lowest < 1e3 else (1,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f'{count:,.0f}' if count >= 1 else f'{count:g}'))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis='y', color='0.9', linewidth=0.5)
    axes.set_axisbelow(True)


def _mark_groups(axes: Axes, many: int, few: int, edges: Edges) -> None:
    """A line at each edge, and the name of the group between them at the right."""
    bottom, top = axes.get_ylim()
    places = {'many': (max(many, bottom), top), 'medium': (max(few, bottom), many), 'few': (bottom, few)}
    room = 0.08 * np.log(top / bottom)  # of two lines of text
    for edge in {many, few} - {0}:
        axes.axhline(edge, color='0.5', linewidth=0.8, zorder=1.5)
    for name, rule in group_rules(many, few, edges).items():
        low, high = places[name]
        if low < high and np.log(high / low) > room:
            axes.annotate(
                f'{name}-shot\n({rule})',
                (1.01, float(np.sqrt(low * high))),
                xycoords=('axes fraction', 'data'),
                va='center',
                fontsize=8,
                annotation_clip=False,
            )
