"""Where wrong predictions go: into head classes, mostly, under a long tail.

One figure by shot group, a panel per classifier, and one class by class, sorted by size.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from mmdrl.errors import DataError
from mmdrl.stats import SHOT_GROUPS, Edges, shot_groups

from .class_axis import rank_bins, sort_classes
from .confusion_shares import COLUMNS, binned_confusion, checked_predictions, group_confusion
from .style import MAX_TICK_LABELS, count_words, label_names, new_figure, plain_text

MAX_CLASSES = 50  # one row each up to here
BINS = 40
COLOUR_MAP = colormaps['Blues'].with_extremes(bad='white')  # its lightness falls evenly: it survives grey


def group_confusion_figure(
    class_counts: ArrayLike,
    labels: ArrayLike,
    predicted: Mapping[str, ArrayLike],
    *,
    many: int = 100,
    few: int = 20,
    edges: Edges = 'exclusive',
) -> Figure:
    """Figure of right and wrong predictions by shot group, see :func:`group_confusion`.

    Args:
        class_counts: Training images per class, shape ``(K,)``.
        labels: True labels, shape ``(N,)``.
        predicted: Predicted labels, shape ``(N,)``, by the name of run or classifier; one panel each.
        many: Edge of the many-shot group, in images.
        few: Edge of the few-shot group, in images.
        edges: Whether a class exactly on an edge is medium, see :func:`mmdrl.stats.shot_groups`.

    Returns:
        The figure; each of its axes holds an image of 3 x 4 percentages, which are written in it, too.

    Raises:
        DataError: If there is nothing to draw or labels do not fit.
    """
    if not predicted:
        raise DataError('There must be predictions of one classifier at least to draw its confusion, got none.')
    classes = sort_classes(class_counts, {}, None, many, few, edges)
    groups = shot_groups(np.asarray(class_counts), many, few, edges)
    columns = min(len(predicted), 3)
    rows = -(-len(predicted) // columns)
    figure = new_figure(1.6 + 4.4 * columns, 0.9 + 2.7 * rows)
    true = np.asarray(labels)
    for number, (name, values) in enumerate(predicted.items(), 1):
        axes = figure.add_subplot(rows, columns, number)
        shares = group_confusion(labels, values, groups)
        _draw_shares(axes, shares)
        axes.axvline(0.5, color='white', linewidth=5)
        axes.set_title(plain_text(name, 40), fontsize=10)
        axes.set_xticks(range(4), ['right', *(f'wrong,\n{group}' for group in COLUMNS[1:])])
        names = []
        for group in SHOT_GROUPS:
            images = int(groups[group][true].sum())
            size = count_words(int(groups[group].sum()), 'class', 'classes')
            names.append(f'{group}-shot ({classes.rules[group]})\n{size}, {count_words(images, "image", "images")}')
        axes.set_yticks(range(3), names if (number - 1) % columns == 0 else [])
    figure.supylabel('true class', fontsize=10)
    figure.supxlabel('predicted class (% of the predictions for the row; each class weighs the same)', fontsize=10)
    return figure


def class_confusion_figure(
    class_counts: ArrayLike,
    labels: ArrayLike,
    predicted: ArrayLike,
    *,
    class_names: Sequence[str] | None = None,
    many: int = 100,
    few: int = 20,
    edges: Edges = 'exclusive',
) -> Figure:
    """Figure of the confusion matrix, classes sorted by size; more than 50 are put together by neighbours in size.

    Args:
        class_counts: Training images per class, shape ``(K,)``.
        labels: True labels, shape ``(N,)``.
        predicted: Predicted labels, shape ``(N,)``.
        class_names: K names, used up to 50 classes. None: the labels.
        many: Edge of the many-shot group, in images.
        few: Edge of the few-shot group, in images.
        edges: Whether a class exactly on an edge is medium, see :func:`mmdrl.stats.shot_groups`.

    Returns:
        The figure; its first axes hold the matrix in percent of each row, its second the scale of colours.

    Raises:
        DataError: If labels or names do not fit.
    """
    classes = sort_classes(class_counts, {}, class_names, many, few, edges)
    total = classes.counts.size
    checked_predictions(labels, predicted, total)
    is_binned = total > MAX_CLASSES
    bins = rank_bins(classes.groups, BINS) if is_binned else np.arange(total)  # by rank
    bin_of = np.empty(total, dtype=np.int64)
    bin_of[classes.order] = bins
    matrix = binned_confusion(labels, predicted, bin_of)
    figure = new_figure(7.5, 6.6)
    axes = figure.add_subplot()
    image = axes.imshow(np.ma.masked_invalid(matrix), cmap=COLOUR_MAP, vmin=0, vmax=100, interpolation='nearest')
    _mark_untested(axes, matrix)
    edges_at = [float(bins[np.flatnonzero(mask)[0]]) - 0.5 for mask in classes.groups.values() if mask.any()][1:]
    for edge in edges_at:
        axes.axhline(edge, color='0.2', linewidth=0.8)
        axes.axvline(edge, color='0.2', linewidth=0.8)
    if total <= MAX_TICK_LABELS:
        label_names(axes, np.arange(total), classes.names)
        label_names(axes, np.arange(total), classes.names, vertical=True)
    elif is_binned:
        _name_groups(axes, classes.groups, bins)
    what = 'classes, sorted by training images'
    if is_binned:
        what = f'{what}; {bins.max() + 1} bins of neighbours'
    axes.set(xlabel=f'predicted {what}', ylabel=f'true {what}')
    if total <= 12:
        _write_shares(axes, matrix)
    figure.colorbar(image, label='% of the predictions for the row' + (' (each class weighs the same)' * is_binned))
    return figure


def _name_groups(axes: Axes, groups: Mapping[str, NDArray[np.bool_]], bins: NDArray[np.int64]) -> None:
    centres = {name: float(bins[mask].mean()) for name, mask in groups.items() if mask.any()}
    texts = [f'{name}\n({count_words(int(groups[name].sum()), "class", "classes")})' for name in centres]
    axes.set_xticks(list(centres.values()), texts)
    axes.set_yticks(list(centres.values()), texts, rotation=90, va='center', ma='center')
    axes.tick_params(length=0)


def _draw_shares(axes: Axes, shares: NDArray[np.float64]) -> None:
    axes.imshow(np.ma.masked_invalid(shares), cmap=COLOUR_MAP, vmin=0, vmax=100, aspect='auto')
    _mark_untested(axes, shares)
    _write_shares(axes, shares)
    axes.tick_params(length=0)


def _write_shares(axes: Axes, shares: NDArray[np.float64]) -> None:
    is_small = shares.shape[0] > 3
    for row, column in np.argwhere(~np.isnan(shares)):
        value = shares[row, column]
        if is_small and value == 0:
            continue
        colour = 'white' if value > 55 else 'black'
        text = f'{value:.0f}' if is_small else f'{value:.1f}'
        axes.text(column, row, text, ha='center', va='center', color=colour, fontsize=9 if is_small else 11)


def _mark_untested(axes: Axes, shares: NDArray[np.float64]) -> None:
    """Hatch the rows of which there is no test image."""
    width = shares.shape[1]
    for row in np.flatnonzero(np.isnan(shares).all(axis=1)).tolist():
        axes.fill_between([-0.5, width - 0.5], row - 0.5, row + 0.5, hatch='///', facecolor='white', edgecolor='0.7')
        if shares.shape[0] <= 12:
            text = axes.text((width - 1) / 2, row, 'no test image', ha='center', va='center', color='0.25')
            text.set_bbox(dict(facecolor='white', edgecolor='none', pad=2))
