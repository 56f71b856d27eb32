"""Accuracy differences, many classes, embeddings and maps of many classes."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from mmdrl.errors import DataError
from mmdrl.visualization import (
    accuracy_difference_figure,
    class_accuracy_figure,
    feature_embedding_figure,
    feature_map_figure,
)
from mmdrl.visualization.feature_embedding import _thinned
from mmdrl.visualization.style import COLOURS, GROUP_STYLES, plain_text

COUNTS = np.array([30, 500, 5, 120, 60])
FIRST = np.array([40.0, 80, 0, 70, 50])
SECOND = np.array([45.0, 75, np.nan, 70, 59])


def test_differences_are_sorted_by_size_and_told_apart_by_sign():
    axes = accuracy_difference_figure(COUNTS, FIRST, SECOND, names=('a', 'b')).axes[0]
    points = {c.get_label(): c.get_offsets().tolist() for c in axes.collections if not c.get_label().startswith('_')}
    assert points == {'better: 2': [[2, 9], [3, 5]], 'worse: 1': [[0, -5]], 'equal: 1': [[1, 0]]}
    markers = {c.get_paths()[0].vertices.tobytes() for c in axes.collections if not c.get_label().startswith('_')}
    assert len(markers) == 3
    assert 'above 0: b is better' in axes.get_ylabel()


def test_lines_are_the_means_of_the_groups():
    """Many: (-5 + 0) / 2, medium: (9 + 5) / 2, few: not tested."""
    axes = accuracy_difference_figure(COUNTS, FIRST, SECOND).axes[0]
    dashed = [line for line in axes.lines if line.get_linestyle() == '--']
    assert [(*line.get_xdata(), line.get_ydata()[0]) for line in dashed] == [(-0.5, 1.5, -2.5), (1.5, 3.5, 7)]
    assert [text.get_text() for text in axes.texts if 'mean' in text.get_text()] == ['mean -2.5', 'mean +7.0']


def test_nothing_in_common_is_said():
    axes = accuracy_difference_figure([5, 6], [np.nan, 1], [1, np.nan]).axes[0]
    assert 'No class has an accuracy in both.' in [text.get_text() for text in axes.texts]


def test_two_runs_of_one_name_do_not_hide_each_other():
    with pytest.raises(DataError, match="'first' must have one value for each of 2 classes"):
        accuracy_difference_figure([5, 6], [1.0], [1.0, 2.0], names=('x', 'x'))


def test_thousands_of_classes_are_drawn_as_means_of_neighbours():
    """600 classes, ten per marker; their mean is kept, and the counts are one area."""
    counts = np.repeat([500, 50, 5], 200)
    accuracy = np.arange(600.0) / 6
    figure = class_accuracy_figure(counts, {'run': accuracy})
    markers = next(line for line in figure.axes[1].lines if len(line.get_xdata()) > 10)
    np.testing.assert_allclose(markers.get_ydata(), accuracy.reshape(60, 10).mean(axis=1))
    np.testing.assert_allclose(markers.get_xdata(), np.arange(600.0).reshape(60, 10).mean(axis=1))
    assert 'mean of about 10 classes' in figure.legends[0].get_title().get_text()
    assert len(figure.axes[0].patches) == 1


@pytest.fixture(scope='module')
def clusters() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    centroids = generator.normal(0, 20, (3, 8))
    labels = np.repeat(np.arange(3), [40, 20, 4])
    features = centroids[labels] + generator.normal(0, 0.5, (64, 8))
    return dict(features=features, labels=labels, centroids=centroids)


def test_embedding_keeps_neighbours_together_and_draws_no_circle(clusters):
    figure = feature_embedding_figure(**clusters, class_counts=[500, 50, 5])
    clouds = figure.axes[0].collections
    assert [len(cloud.get_offsets()) for cloud in clouds] == [40, 1, 20, 1, 4, 1]
    for label in range(3):
        own = clouds[2 * label].get_offsets().mean(axis=0)
        distances = [np.linalg.norm(clouds[2 * other + 1].get_offsets()[0] - own) for other in range(3)]
        assert np.argmin(distances) == label  # each centroid among the samples of its class
    assert not figure.axes[0].patches
    assert 'balls have no outline' in figure.axes[0].get_title()
    assert len(figure.axes[0].get_xticks()) == 0


def test_embedding_is_the_same_each_time(clusters):
    pair = [feature_embedding_figure(**clusters, seed=1).axes[0].collections[0].get_offsets() for _ in range(2)]
    np.testing.assert_array_equal(*pair)


def test_too_many_samples_are_thinned_evenly():
    labels = np.repeat(np.arange(3), [1000, 30, 5])
    kept = _thinned(labels, 60, 0)
    assert np.bincount(labels[kept]).tolist() == [28, 27, 5]
    assert (np.diff(kept) > 0).all()
    assert len(_thinned(labels, 5000, 0)) == len(labels)


def test_embedding_of_too_few_samples_is_refused(clusters):
    few = {**clusters, 'features': clusters['features'][:3], 'labels': clusters['labels'][:3]}
    with pytest.raises(DataError, match='4 samples at least for t-SNE, got 3'):
        feature_embedding_figure(**few)


def test_map_without_balls_says_why_and_names_stand_aside(clusters):
    axes = feature_map_figure(**clusters, radius=0.0).axes[0]
    assert 'no DR loss of a radius above 0' in axes.get_title()
    assert not axes.patches
    assert all(np.hypot(*text.xyann) > 30 and text.arrow_patch is not None for text in axes.texts)


def test_map_of_many_classes_is_coloured_by_group_and_not_named():
    generator = np.random.default_rng(0)
    counts = np.r_[np.full(10, 500), np.full(20, 50), np.full(10, 5)]
    centroids = generator.normal(size=(40, 4))
    labels = np.arange(40)
    axes = feature_map_figure(centroids, labels, centroids, 0.1, class_counts=counts).axes[0]
    assert not axes.texts
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        'many-shot, 10 classes',
        'medium-shot, 20 classes',
        'few-shot, 10 classes',
    ]
    colours = {to_hex(cloud.get_facecolor()[0]).upper() for cloud in axes.collections}
    assert colours == {GROUP_STYLES[group].colour for group in ('many', 'medium', 'few')}


def test_palettes_differ_in_lightness():
    """Luma of ITU-R BT.601, of the groups and of the first three runs: 0.1 apart."""
    for palette in ([style.colour for style in GROUP_STYLES.values()], COLOURS[:3]):
        luma = sorted(np.dot([0.299, 0.587, 0.114], [int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)]) for c in palette)
        assert min(np.diff(luma)) > 0.1


@pytest.mark.parametrize(('name', 'shown'), [('a$b$', r'a\$b\$'), ('_hidden', ' _hidden'), ('x' * 30, 'xxx…xxxxxx')])
def test_names_of_users_are_shown_as_they_are(name, shown):
    assert plain_text(name, 10 if len(name) > 20 else 60) == shown
