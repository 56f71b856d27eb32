"""Where predictions go, by shot group and by class."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from mmdrl.errors import DataError
from mmdrl.stats import shot_groups
from mmdrl.visualization import class_confusion_figure, group_confusion, group_confusion_figure
from mmdrl.visualization.confusion_shares import binned_confusion

COUNTS = np.array([30, 500, 5, 120, 60, 3])
GROUPS = shot_groups(COUNTS)


@pytest.fixture
def predictions() -> tuple[np.ndarray, np.ndarray]:
    """Classes with unlike numbers of test images, the last with none."""
    generator = np.random.default_rng(0)
    labels = generator.choice(5, 200, p=[0.5, 0.2, 0.1, 0.15, 0.05])
    return labels, np.where(generator.random(200) < 0.5, labels, generator.integers(0, 6, 200))


def looped(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Shares by the definition, one class after the other."""
    rows = []
    for group in ('many', 'medium', 'few'):
        shares = []
        for label in np.flatnonzero(GROUPS[group]):
            own = predicted[labels == label]
            if own.size:
                wrong = own[own != label]
                parts = [np.sum(own == label), *(GROUPS[name][wrong].sum() for name in ('many', 'medium', 'few'))]
                shares.append(100 * np.array(parts) / own.size)
        rows.append(np.mean(shares, axis=0))
    return np.array(rows)


def test_group_shares_are_means_over_classes(predictions):
    found = group_confusion(*predictions, GROUPS)
    np.testing.assert_allclose(found, looped(*predictions), rtol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 100)


def test_group_shares_do_not_depend_on_how_often_a_class_was_tested(predictions):
    labels, predicted = predictions
    again = labels == 0
    twice = group_confusion(np.r_[labels, labels[again]], np.r_[predicted, predicted[again]], GROUPS)
    np.testing.assert_allclose(twice, group_confusion(labels, predicted, GROUPS))


def test_matrix_of_single_classes_is_that_of_scikit_learn(predictions):
    labels, predicted = predictions
    expected = 100 * confusion_matrix(labels, predicted, labels=range(6), normalize='true')[:5]
    found = binned_confusion(labels, predicted, np.arange(6))
    np.testing.assert_allclose(found[:5], expected, atol=1e-9)
    assert np.isnan(found[5]).all()


def test_figure_holds_the_shares_and_writes_them(predictions):
    labels, predicted = predictions
    figure = group_confusion_figure(COUNTS, labels, {'linear': predicted, 'ncm': labels})
    assert [axes.get_title() for axes in figure.axes] == ['linear', 'ncm']
    for axes, values in zip(figure.axes, (predicted, labels), strict=True):
        drawn = np.asarray(axes.images[0].get_array())
        np.testing.assert_allclose(drawn, group_confusion(labels, values, GROUPS))
        assert [text.get_text() for text in axes.texts] == [f'{value:.1f}' for value in drawn.ravel()]
    rows = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert rows[2].startswith('few-shot (< 20)\n2 classes, ')


def test_group_without_test_images_says_so():
    figure = group_confusion_figure([200, 50, 5], [0, 0, 1], {'linear': [0, 1, 1]})
    assert 'no test image' in [text.get_text() for text in figure.axes[0].texts]
    assert np.ma.getmaskarray(figure.axes[0].images[0].get_array())[2].all()


def test_matrix_goes_from_the_largest_class_to_the_smallest(predictions):
    labels, predicted = predictions
    figure = class_confusion_figure(COUNTS, labels, predicted, class_names=list('abcdef'))
    order = [1, 3, 4, 0, 2, 5]
    drawn = np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)
    np.testing.assert_allclose(drawn, binned_confusion(labels, predicted, np.arange(6))[np.ix_(order, order)])
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == list('bdeacf')


def test_many_classes_are_binned_without_crossing_groups():
    """100 classes, all right: every bin lies on the diagonal, and lines stand where a group ends."""
    counts = np.r_[np.full(61, 500), np.full(10, 50), np.full(29, 5)]
    labels = np.repeat(np.arange(100), 2)
    axes = class_confusion_figure(counts, labels, labels).axes[0]
    drawn = np.asarray(axes.images[0].get_array())
    np.testing.assert_allclose(drawn, 100 * np.eye(40))
    assert sorted({line.get_xdata()[0] for line in axes.lines} - {0}) == [23.5, 27.5]


@pytest.mark.parametrize(
    'make', [lambda p: group_confusion_figure(COUNTS, p[0], {'a': p[1]}), lambda p: class_confusion_figure(COUNTS, *p)]
)
@pytest.mark.parametrize(
    ('labels', 'predicted', 'message'),
    [
        ([0, 1], [0], r'got \(2,\) and \(1,\)'),
        ([], [], 'N at least 1'),
        ([6], [0], 'true labels'),
        ([0], [-1], 'predicted'),
    ],
)
def test_labels_that_do_not_fit_are_refused(make: Callable[[Any], Any], labels, predicted, message):
    with pytest.raises(DataError, match=message):
        make((np.array(labels, dtype=int), np.array(predicted, dtype=int)))


def test_no_classifier_is_refused():
    with pytest.raises(DataError, match='got none'):
        group_confusion_figure(COUNTS, [0], {})
