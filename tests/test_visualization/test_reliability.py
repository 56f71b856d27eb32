"""Reliability diagrams: bars, gaps, counts and errors by shot group."""

import numpy as np
import pytest

from mmdrl.errors import DataError
from mmdrl.visualization import reliability_figure

COUNTS = [200, 50, 5]
LABELS = np.array([0, 0, 0, 0, 1, 1])
PREDICTED = np.array([0, 0, 1, 0, 1, 0])
CONFIDENCE = np.array([0.95, 0.9, 0.85, 0.35, 0.55, 0.45])


def bars(axes):
    """Accuracy bars and gap bars: (left, bottom, top)."""
    found = [(bar.get_x(), bar.get_y(), bar.get_y() + bar.get_height()) for bar in axes.patches]
    return found[: len(found) // 2], found[len(found) // 2 :]


def test_bars_are_accuracy_and_gap_of_each_bin_by_group():
    """Four bins, worked out by hand: (0.25, 0.5] holds 0.35, 0.45; (0.5, 0.75] 0.55; (0.75, 1] the rest."""
    figure = reliability_figure(COUNTS, LABELS, PREDICTED, CONFIDENCE, num_bins=4)
    accuracy, gaps = bars(figure.axes[0])
    np.testing.assert_allclose(accuracy, [(25, 0, 50), (50, 0, 100), (75, 0, 200 / 3)])
    np.testing.assert_allclose(gaps, [(25, 50, 40), (50, 100, 55), (75, 200 / 3, 90)])
    accuracy, gaps = bars(figure.axes[2])  # medium: class 1
    np.testing.assert_allclose(gaps, [(25, 0, 45), (50, 100, 55)])
    assert [bar.get_height() for bar in figure.axes[4].patches] == [0, 2, 1, 3]
    assert [bar.get_height() for bar in figure.axes[6].patches] == [0, 1, 1, 0]


def test_errors_are_written_into_each_panel():
    figure = reliability_figure(COUNTS, LABELS, PREDICTED, CONFIDENCE, num_bins=4)
    expected = (2 * 10 + 45 + 3 * (90 - 200 / 3)) / 6
    texts = [[text.get_text() for text in axes.texts] for axes in figure.axes[:4]]
    assert texts[0] == [f'ECE {expected:.1f}%\nMCE 45.0%']
    assert texts[2] == ['ECE 45.0%\nMCE 45.0%']
    assert texts[3] == ['no image']
    assert [axes.get_title() for axes in figure.axes[:4]] == [
        'all\n6 images',
        'many-shot (> 100)\n4 images',
        'medium-shot (20 to 100)\n2 images',
        'few-shot (< 20)\n0 images',
    ]


@pytest.mark.parametrize(
    ('confidence', 'message'),
    [([0.5] * 5, 'shape'), ([0.5] * 5 + [1.5], r'in \[0, 1\], got 1\.5'), ([np.nan] * 6, 'nan')],
)
def test_confidences_that_do_not_fit_are_refused(confidence, message):
    with pytest.raises(DataError, match=message):
        reliability_figure(COUNTS, LABELS, PREDICTED, confidence)
