"""Whether a model is as sure as it is right: one reliability diagram for all images and one per shot group.

The predictions are put into bins by their confidence. A bar is the accuracy of a bin, a hatched bar the gap between it
and the mean confidence there; on the diagonal the two would be equal. Below stand the images in each bin.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from mmdrl.evaluation.reliability import ReliabilityBins, calibration_errors, reliability_bins
from mmdrl.stats import SHOT_GROUPS, Edges, shot_groups

from .class_axis import sort_classes
from .confusion_shares import checked_predictions
from .style import count_words, new_figure, say_nothing_there

ACCURACY, GAP = '0.6', '#D55E00'


def reliability_figure(
    class_counts: ArrayLike,
    labels: ArrayLike,
    predicted: ArrayLike,
    confidence: ArrayLike,
    *,
    num_bins: int = 15,
    many: int = 100,
    few: int = 20,
    edges: Edges = 'exclusive',
) -> Figure:
    """Figure of accuracy against confidence, of all images and of those of each shot group.

    Args:
        class_counts: Training images per class, shape ``(K,)``.
        labels: True labels, shape ``(N,)``.
        predicted: Predicted labels, shape ``(N,)``.
        confidence: Largest probability of each prediction, shape ``(N,)``, in [0, 1].
        num_bins: Bins of equal width.
        many: Edge of the many-shot group, in images.
        few: Edge of the few-shot group, in images.
        edges: Whether a class exactly on an edge is medium, see :func:`mmdrl.stats.shot_groups`.

    Returns:
        The figure; four axes with the bars of accuracy and those of the gaps, then four with the images of each bin.

    Raises:
        DataError: If the arrays do not fit together or a confidence lies outside [0, 1].

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, figure 1.
    """
    classes = sort_classes(class_counts, {}, None, many, few, edges)
    groups = shot_groups(np.asarray(class_counts), many, few, edges)
    true, pred = checked_predictions(labels, predicted, classes.counts.size)
    sureness = np.asarray(confidence, dtype=np.float64)
    reliability_bins(sureness, pred == true, num_bins)  # says what does not fit
    masks: dict[str, NDArray[np.bool_]] = {'all': np.ones(true.shape, dtype=bool)}
    masks |= {group: groups[group][true] for group in SHOT_GROUPS}
    figure = new_figure(12, 4.6)
    panels = figure.subplots(2, 4, sharex=True, sharey='row', height_ratios=(4, 1))
    for column, (name, mask) in enumerate(masks.items()):
        bins = reliability_bins(sureness[mask], (pred == true)[mask], num_bins)
        size = count_words(int(mask.sum()), 'image', 'images')
        rule = f'{name}-shot ({classes.rules[name]})' if name in classes.rules else 'all'
        panels[0, column].set_title(f'{rule}\n{size}', fontsize=9)
        _draw_bins(panels[0, column], bins, num_bins)
        _draw_sizes(panels[1, column], bins, num_bins)
    panels[0, 0].set(ylabel='accuracy (%)', ylim=(0, 100), xlim=(0, 100))
    panels[1, 0].set(ylabel='images', ylim=(0, None))
    figure.supxlabel(f'confidence (largest probability, %; {num_bins} bins)', fontsize=10)
    handles = [
        Patch(facecolor=ACCURACY, edgecolor='0.2', label='accuracy'),
        Patch(facecolor='none', edgecolor=GAP, hatch='////', label='gap to the mean confidence'),
    ]
    figure.legend(handles=handles, loc='outside upper center', ncols=2, frameon=False)
    return figure


def _draw_bins(axes: Axes, bins: ReliabilityBins, num_bins: int) -> None:
    axes.plot((0, 100), (0, 100), color='0.3', linestyle='--', linewidth=1, zorder=3)
    has = bins.counts > 0
    if not has.any():
        say_nothing_there(axes, 'no image')
        return
    width = 100 / num_bins
    left = (np.arange(num_bins) * width)[has]
    accuracy, confidence = 100 * bins.accuracy[has], 100 * bins.confidence[has]
    axes.bar(left, accuracy, width, align='edge', color=ACCURACY, edgecolor='0.2', linewidth=0.6)
    # One bar from the accuracy to the confidence, whichever is larger.
    axes.bar(
        left,
        confidence - accuracy,
        width,
        bottom=accuracy,
        align='edge',
        facecolor='none',
        edgecolor=GAP,
        hatch='////',
        linewidth=0.8,
        zorder=2,
    )
    error, largest = calibration_errors(bins)
    text = axes.text(0.04, 0.96, f'ECE {error:.1f}%\nMCE {largest:.1f}%', transform=axes.transAxes, va='top')
    text.set_bbox(dict(facecolor='white', edgecolor='none', alpha=0.8, pad=1.5))


def _draw_sizes(axes: Axes, bins: ReliabilityBins, num_bins: int) -> None:
    width = 100 / num_bins
    axes.bar(np.arange(num_bins) * width, bins.counts, width, align='edge', color='0.4', edgecolor='0.2', linewidth=0.4)
