"""Figures: the numbers that stand in the axes."""

import numpy as np
import pytest
from matplotlib._pylab_helpers import Gcf
from matplotlib.colors import to_rgba
from matplotlib.patches import Circle
from numpy.testing import assert_allclose, assert_array_equal

from mmdrl.errors import DataError
from mmdrl.visualization import class_accuracy_figure, feature_map_figure

COUNTS = np.array([30, 500, 5, 120, 60])
BY_SIZE = [1, 3, 4, 0, 2]


def run_lines(axes, run: int):
    """Markers and group-mean lines of a run, told apart from the other runs by its marker and colour."""
    markers = [line for line in axes.lines if line.get_marker() != 'None' and len(line.get_xdata()) > 0]
    means = [
        line
        for line in axes.lines
        if line.get_marker() == 'None' and to_rgba(line.get_color()) == to_rgba(markers[run].get_color())
    ]
    return markers[run], means


@pytest.fixture
def accuracies() -> dict[str, np.ndarray]:
    return {'cross-entropy': np.array([40.0, 80, 0, 70, 50]), 'robust': np.array([45.0, 75, np.nan, 72, 55])}


def test_bars_are_the_counts_from_large_to_small_on_a_log_scale(accuracies):
    axes = class_accuracy_figure(COUNTS, accuracies).axes[0]
    assert [bar.get_height() for bar in axes.patches] == [500, 120, 60, 30, 5]
    assert axes.get_yscale() == 'log'
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ['1', '3', '4', '0', '2']


def test_markers_are_the_accuracies_in_the_order_of_the_bars(accuracies):
    axes = class_accuracy_figure(COUNTS, accuracies).axes[1]
    for run, values in enumerate(accuracies.values()):
        markers, _ = run_lines(axes, run)
        assert_array_equal(markers.get_xdata(), range(5))
        assert_array_equal(markers.get_ydata(), values[BY_SIZE])


def test_lines_are_the_group_means_over_their_classes(accuracies):
    axes = class_accuracy_figure(COUNTS, accuracies).axes[1]
    _, means = run_lines(axes, 0)
    drawn = [(tuple(line.get_xdata()), line.get_ydata()[0]) for line in means]
    assert drawn == [((-0.5, 1.5), 75), ((1.5, 3.5), 45), ((3.5, 4.5), 0)]
    _, means = run_lines(axes, 1)
    assert [line.get_ydata()[0] for line in means] == [73.5, 50]  # the few-shot class was not tested


def test_groups_are_named_with_their_edges_and_sizes(accuracies):
    axes = class_accuracy_figure(COUNTS, accuracies).axes[1]
    assert [text.get_text() for text in axes.texts] == [
        'many-shot (> 100)\n2 classes',
        'medium-shot (20 to 100)\n2 classes',
        'few-shot (< 20)\n1 class',
    ]


def test_edges_move_the_classes_on_them(accuracies):
    figure = class_accuracy_figure(COUNTS, accuracies, many=60, few=30, edges='inclusive')
    assert [text.get_text() for text in figure.axes[1].texts] == [
        'many-shot (≥ 60)\n3 classes',
        'few-shot (≤ 30)\n2 classes',
    ]


def test_axes_tell_their_units_and_the_legend_its_runs(accuracies):
    figure = class_accuracy_figure(COUNTS, accuracies)
    assert figure.axes[0].get_ylabel() == 'training images per class (bars, log scale)'
    assert figure.axes[1].get_ylabel() == 'accuracy (%)'
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['cross-entropy', 'robust']


def test_runs_differ_in_marker_and_line_style_not_only_in_colour():
    axes = class_accuracy_figure(COUNTS, {str(run): np.full(5, 50.0 + run) for run in range(6)}).axes[1]
    drawn = [run_lines(axes, run) for run in range(6)]
    assert len({markers.get_marker() for markers, _ in drawn}) == 6
    assert len({str(means[0]._dash_pattern) for _, means in drawn}) == 6


def test_class_names_are_the_ticks(accuracies):
    names = ['ant', 'bee', 'aquarium fish', 'dog', 'elk']
    axes = class_accuracy_figure(COUNTS, accuracies, class_names=names).axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [
        'bee',
        'dog',
        'elk',
        'ant',
        'aquarium fish',
    ]


def test_many_classes_are_ranked_rather_than_named():
    axes = class_accuracy_figure(np.arange(1, 101), {}).axes[0]
    assert 'rank' in axes.get_xlabel()
    assert len(axes.get_xticks()) < 20


@pytest.mark.parametrize(
    ('counts', 'per_class', 'names', 'message'),
    [
        ([[1, 2]], {}, None, r'class_counts must have shape \(K,\)'),
        ([], {}, None, 'at least 1'),
        ([1, 2], {'run': [1.0]}, None, "'run' must have one value for each of 2 classes"),
        ([1, 2], {}, ['a'], "'class_names' must have one value for each of 2 classes"),
    ],
)
def test_accuracies_that_do_not_fit_are_refused(counts, per_class, names, message):
    with pytest.raises(DataError, match=message):
        class_accuracy_figure(counts, per_class, class_names=names)


@pytest.fixture
def clusters() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    centroids = generator.normal(0, 4, (4, 6))
    labels = generator.integers(0, 4, 80)
    return {
        'features': centroids[labels] + generator.normal(0, 1, (80, 6)),
        'labels': labels,
        'centroids': centroids,
        'radius': np.array([0.5, 1.0, 2.0, 3.0]),
    }


def circles(figure) -> list[Circle]:
    return [patch for patch in figure.axes[0].patches if isinstance(patch, Circle)]


def test_circles_have_the_radius_of_the_ball_in_feature_units(clusters):
    figure = feature_map_figure(**clusters)
    assert [circle.radius for circle in circles(figure)] == [0.5, 1.0, 2.0, 3.0]
    assert figure.axes[0].get_aspect() == 1


def test_plane_is_an_orthogonal_projection_on_the_widest_directions(clusters):
    """Principal axes by the eigenvectors of the covariance; their sign is free."""
    features, labels = clusters['features'], clusters['labels']
    mean = features.mean(axis=0)
    axes = np.linalg.eigh(np.cov(features.T))[1][:, [-1, -2]]  # (D, 2)
    figure = feature_map_figure(**clusters)
    balls = np.array([circle.center for circle in circles(figure)])
    expected = (clusters['centroids'] - mean) @ axes
    assert_allclose(np.abs(balls), np.abs(expected), rtol=1e-6)
    signs = np.sign(balls[0] * expected[0])
    clouds = [
        collection.get_offsets() for collection in figure.axes[0].collections if len(collection.get_offsets()) > 1
    ]
    for label, cloud in enumerate(clouds):
        assert_allclose(cloud, signs * ((features[labels == label] - mean) @ axes), rtol=1e-6, atol=1e-9)


def test_distances_in_the_plane_never_exceed_those_in_feature_space(clusters):
    balls = np.array([circle.center for circle in circles(feature_map_figure(**clusters))])
    for one in range(4):
        for other in range(one):
            true = np.linalg.norm(clusters['centroids'][one] - clusters['centroids'][other])
            assert np.linalg.norm(balls[one] - balls[other]) <= true + 1e-9


def test_names_stand_at_the_spokes_with_the_class_sizes(clusters):
    figure = feature_map_figure(**clusters, class_names=['ant', 'bee', 'cat', 'dog'], class_counts=[500, 50, 5, 1])
    texts = figure.axes[0].texts
    assert [text.get_text() for text in texts] == ['ant (n=500)', 'bee (n=50)', 'cat (n=5)', 'dog (n=1)']
    for text, circle in zip(texts, circles(figure), strict=True):
        assert np.linalg.norm(np.subtract(text.xy, circle.center)) == pytest.approx(circle.radius)


def test_classes_differ_in_marker_not_only_in_colour(clusters):
    clouds = feature_map_figure(**clusters).axes[0].collections
    shapes = {cloud.get_paths()[0].vertices.tobytes() for cloud in clouds}
    assert len(shapes) == 4


def test_class_without_training_images_has_no_ball(clusters):
    figure = feature_map_figure(**clusters, class_counts=[5, 0, 5, 5])
    assert [circle.radius for circle in circles(figure)] == [0.5, 2.0, 3.0]
    assert 'n=0' not in ' '.join(text.get_text() for text in figure.axes[0].texts)


def test_one_radius_serves_all_classes(clusters):
    clusters['radius'] = 0.7
    assert [circle.radius for circle in circles(feature_map_figure(**clusters))] == [0.7] * 4


def test_axes_tell_unit_and_share_of_variance(clusters):
    axes = feature_map_figure(**clusters).axes[0]
    variances = np.sort(np.linalg.eigvalsh(np.cov(clusters['features'].T)))[::-1]
    shares = variances / variances.sum()
    assert axes.get_xlabel() == f'principal component 1 (feature units, {shares[0]:.0%} of the variance)'
    assert axes.get_ylabel() == f'principal component 2 (feature units, {shares[1]:.0%} of the variance)'


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(features=np.zeros((80, 1))), r'features must have shape \(N, D\)'),
        (dict(features=np.full((80, 6), np.nan)), 'features must be finite'),
        (dict(labels=np.zeros(79, int)), r'got \(80, 6\) and \(79,\)'),
        (dict(labels=np.full(80, 4)), r'in \[0, 4\), got 4'),
        (dict(centroids=np.zeros((4, 5))), r'centroids must have shape \(K, 6\)'),
        (dict(radius=np.ones(3)), 'radius must have one value for each of 4'),
        (dict(class_names=['a']), 'class_names must have one value for each of 4'),
        (dict(class_counts=[1]), 'class_counts must have one value for each of 4'),
    ],
)
def test_features_that_do_not_fit_are_refused(clusters, changes, message):
    with pytest.raises(DataError, match=message):
        feature_map_figure(**{**clusters, **changes})


def test_figures_can_be_saved_and_stay_out_of_pyplot(clusters, accuracies, tmp_path):
    managed_before = len(Gcf.figs)
    feature_map_figure(**clusters).savefig(tmp_path / 'map.png')
    class_accuracy_figure(COUNTS, accuracies).savefig(tmp_path / 'accuracy.pdf')
    assert (tmp_path / 'map.png').read_bytes().startswith(b'\x89PNG')
    assert (tmp_path / 'accuracy.pdf').read_bytes().startswith(b'%PDF')
    assert len(Gcf.figs) == managed_before
