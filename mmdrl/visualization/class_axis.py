"""The axis of figures class by class: sorted from the largest class to the smallest, cut into shot groups."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from mmdrl.errors import DataError
from mmdrl.stats import Edges, shot_groups

from .style import MAX_TICK_LABELS, count_words, group_rules, label_names

MAX_BARS = 200  # more of them cost seconds and melt into one area anyway
MAX_MARKERS = 300  # more classes are put together by neighbours in size
MARKER_BINS = 60


class SortedClasses(NamedTuple):
    """Classes by falling size.

    Attributes:
        counts: Training images, falling, shape ``(K,)``.
        order: Label of each rank, shape ``(K,)``.
        groups: Masks over the ranks, by shot group.
        names: Of the classes in this order.
        rules: Training images of a class of each group, in words.
    """

    counts: NDArray[np.int64]
    order: NDArray[np.int64]
    groups: dict[str, NDArray[np.bool_]]
    names: list[str]
    rules: dict[str, str]


def sort_classes(
    class_counts: ArrayLike,
    values: Mapping[str, NDArray],
    class_names: Sequence[str] | None,
    many: int,
    few: int,
    edges: Edges,
) -> SortedClasses:
    """The classes in order, once it is sure that all values are one per class.

    Args:
        class_counts: Training images per class, shape ``(K,)``.
        values: What else there is of each class, by name.
        class_names: K names, or None for the labels.
        many: Edge of the many-shot group, in images.
        few: Edge of the few-shot group, in images.
        edges: Whether a class exactly on an edge is medium.

    Raises:
        DataError: If there is no class, or something is not one per class.
    """
    counts = np.asarray(class_counts)
    if counts.ndim != 1 or counts.size == 0:
        raise DataError(f'class_counts must have shape (K,) with K at least 1, got {counts.shape}.')
    names = list(range(counts.size) if class_names is None else class_names)
    for name, entries in {**values, 'class_names': np.asarray(names)}.items():
        if entries.shape != counts.shape:
            raise DataError(f"'{name}' must have one value for each of {counts.size} classes, got {entries.shape}.")
    order = np.argsort(-counts.astype(np.int64), kind='stable')
    groups = {name: mask[order] for name, mask in shot_groups(counts, many, few, edges).items()}
    return SortedClasses(
        counts[order], order, groups, [str(names[label]) for label in order], group_rules(many, few, edges)
    )


def figure_height(classes: SortedClasses) -> float:
    """Inches, with room for long names below."""
    is_long = classes.counts.size <= MAX_TICK_LABELS and max(map(len, classes.names)) > 8
    return 5.4 if is_long else 4.5


def draw_counts(axes: Axes, classes: SortedClasses) -> None:
    """Grey bars of the training images on a log scale, and the names or ranks of the classes below."""
    counts = classes.counts
    ranks = np.arange(counts.size)
    if counts.size <= MAX_BARS:
        axes.bar(ranks, counts, width=0.8, color='0.85', edgecolor='0.7', linewidth=0.5)
    else:
        axes.stairs(counts, np.arange(counts.size + 1) - 0.5, fill=True, color='0.85')
    axes.set(yscale='log', ylim=(0.8, max(counts.max(), 1) * 1.5))
    axes.yaxis.set_major_formatter('{x:g}')
    axes.set_ylabel('training images per class (bars, log scale)')
    label_classes(axes, classes)


def label_classes(axes: Axes, classes: SortedClasses) -> None:
    """Names of up to 30 classes, or ranks."""
    axes.set_xlim(-0.6, classes.counts.size - 0.4)
    if classes.counts.size <= MAX_TICK_LABELS:
        label_names(axes, np.arange(classes.counts.size), classes.names)
        axes.set_xlabel('class, by training images')
    else:
        axes.set_xlabel('rank of the class by training images (0 is the largest)')


def label_groups(axes: Axes, classes: SortedClasses) -> None:
    """Write each group's name over its classes, and draw a line where one group ends."""
    total = classes.counts.size
    for name, mask in classes.groups.items():
        members = np.flatnonzero(mask)
        if members.size == 0:
            continue
        if members[0] > 0:
            axes.axvline(members[0] - 0.5, color='0.3', linewidth=0.8)
        text = f'{name}-shot ({classes.rules[name]})\n{count_words(members.size, "class", "classes")}'
        if members.size < 0.18 * total:  # no room for a line beside those of its neighbours
            text = text.replace(' (', '\n(')
        axes.annotate(text, (members.mean(), 1.01), xycoords=('data', 'axes fraction'), ha='center', fontsize=8)


def rank_bins(groups: Mapping[str, NDArray[np.bool_]], number: int) -> NDArray[np.int64]:
    """Bin of each rank, shape ``(K,)``: about equally many classes in each, and no bin across groups."""
    sizes = [int(mask.sum()) for mask in groups.values()]
    parts, first = [], 0
    for size in sizes:
        own = min(size, max(1, round(number * size / sum(sizes))))
        parts.append(first + np.arange(size) * own // max(size, 1))
        first += own
    return np.concatenate(parts)


def marker_places(
    values: NDArray[np.float64], groups: Mapping[str, NDArray[np.bool_]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where markers stand, and at which value: one per class, or the means of neighbours in size if there are too many.

    Args:
        values: Of each class by rank, shape ``(K,)``; nan has no part in a mean.
        groups: Masks over the ranks.
    """
    ranks = np.arange(values.size, dtype=float)
    if values.size <= MAX_MARKERS:
        return ranks, values
    bins = rank_bins(groups, MARKER_BINS)
    is_known = ~np.isnan(values)
    known = np.bincount(bins[is_known], minlength=bins[-1] + 1)
    sums = np.bincount(bins[is_known], values[is_known], bins[-1] + 1)
    means = np.divide(sums, known, out=np.full(known.size, np.nan), where=known > 0)
    return np.bincount(bins, ranks) / np.bincount(bins), means


def marker_words(number: int) -> str:
    """What a marker stands for, of so many classes."""
    return 'class' if number <= MAX_MARKERS else f'mean of about {round(number / MARKER_BINS)} classes'
