"""Class means and the nearest-centroid rule against their loops."""

import numpy as np
import pytest
import torch
from cases import saying
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import class_centroids_loop, nearest_centroid_loop
from torch.testing import assert_close

from mmdrl.functional import class_centroids, nearest_centroid

METRICS = ('euclidean', 'cosine')
every_metric = pytest.mark.parametrize('metric', METRICS)


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 20),
    num_classes=st.integers(1, 8),
    dim=st.integers(1, 5),
)
def test_class_centroids_equal_the_loop(seed, batch, num_classes, dim):
    rng = np.random.default_rng(seed)
    features, labels = rng.normal(size=(batch, dim)), rng.integers(0, num_classes, size=batch)
    mean, count = class_centroids(torch.from_numpy(features), torch.from_numpy(labels), num_classes)
    expected_mean, expected_count = class_centroids_loop(features, labels, num_classes)
    assert_close(mean, torch.from_numpy(expected_mean), rtol=1e-10, atol=1e-10)
    assert count.tolist() == expected_count.tolist()


def test_absent_class_has_centroid_zero_and_count_zero():
    features = torch.tensor([[1.0, 2.0], [3.0, 6.0], [5.0, 5.0]])
    mean, count = class_centroids(features, torch.tensor([0, 0, 2]), 4)
    assert mean.tolist() == [[2.0, 4.0], [0.0, 0.0], [5.0, 5.0], [0.0, 0.0]]
    assert count.tolist() == [2, 0, 1, 0]


@pytest.mark.parametrize(('dtype', 'value'), [(torch.bfloat16, 1.0), (torch.float16, 100.0)])
def test_half_precision_means_are_summed_in_float32(dtype, value):
    # A bfloat16 sum of ones stops at 256, a float16 sum of hundreds overflows at 65,504.
    features = torch.full((2000, 2), value, dtype=dtype)
    mean, count = class_centroids(features, torch.zeros(2000).long(), 1)
    assert mean.double().tolist() == [[value, value]]
    assert count.tolist() == [2000]


@pytest.mark.parametrize(
    ('features', 'labels', 'words'),
    [
        (torch.ones(3, 2), torch.tensor([0, 1, 5]), ('labels', '4', '5')),
        (torch.ones(3, 2), torch.tensor([0, 1, 4]), ('labels', r'4\)', 'got 4')),
        (torch.ones(3, 2), torch.tensor([0, -2, 1]), ('labels', '4', '-2')),
        (torch.ones(3, 2), torch.tensor([0, 1]), ('labels', '3', '2')),
        (torch.ones(3), torch.tensor([0, 1, 2]), ('features', r'\(3,\)|\[3\]')),
        (torch.ones(3, 2), torch.tensor([0.0, 1.0, 2.0]), ('labels', 'float32')),
    ],
)
def test_bad_class_centroids_input_is_named(features, labels, words):
    with pytest.raises(ValueError, match=saying(*words)):
        class_centroids(features, labels, 4)


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 40),
    num_classes=st.integers(1, 40),
    dim=st.integers(2, 5),
    metric=st.sampled_from(METRICS),
)
def test_nearest_centroid_equals_the_loop(seed, batch, num_classes, dim, metric):
    rng = np.random.default_rng(seed)
    features, centroids = rng.normal(size=(batch, dim)), rng.normal(size=(num_classes, dim))
    nearest = nearest_centroid(torch.from_numpy(features), torch.from_numpy(centroids), metric=metric)
    assert nearest.dtype == torch.int64
    assert nearest.tolist() == nearest_centroid_loop(features, centroids, metric).tolist()


def test_metric_decides_between_length_and_direction():
    features, centroids = torch.tensor([[10.0, 0.0]]), torch.tensor([[1.0, 0.0], [9.0, 8.0]])
    assert nearest_centroid(features, centroids).tolist() == [1]
    assert nearest_centroid(features, centroids, metric='euclidean').tolist() == [1]
    assert nearest_centroid(features, centroids, metric='cosine').tolist() == [0]


@pytest.mark.parametrize('scale', [1e-6, 1e6])
def test_cosine_ignores_the_scale(rng, scale):
    features, centroids = (
        torch.from_numpy(rng.normal(size=(20, 4))),
        torch.from_numpy(rng.normal(size=(6, 4))),
    )
    sizes = scale * torch.from_numpy(rng.uniform(0.5, 2.0, size=(6, 1)))
    expected = nearest_centroid(features, centroids, metric='cosine')
    assert_close(nearest_centroid(scale * features, centroids, metric='cosine'), expected)
    assert_close(nearest_centroid(features, sizes * centroids, metric='cosine'), expected)


def test_float32_tells_tight_centroids_far_from_the_origin_apart(rng):
    # Squared distances of 1e-4 vanish in matrix products of numbers near 1000 * 1000.
    centroids = torch.zeros(40, 8).add_(1000.0)
    centroids[:, 0] += 0.05 * torch.arange(40)
    labels = torch.from_numpy(rng.integers(0, 40, size=60))
    features = centroids[labels] + 0.001 * torch.from_numpy(rng.normal(size=(60, 8))).float()
    assert_close(nearest_centroid(features, centroids), labels)


@every_metric
def test_half_precision_features_are_compared_in_float32(rng, metric):
    # 257 rounds to 256 in bfloat16, so the centroids differ only in float32.
    features = torch.tensor([[1.0, 258.0]], dtype=torch.bfloat16)
    centroids = torch.tensor([[1.0, 257.0], [1.0, 258.1]])
    assert nearest_centroid(features, centroids, metric=metric).tolist() == [1]


@every_metric
def test_autocast_does_not_change_the_nearest_centroid(rng, metric):
    features = torch.from_numpy(rng.uniform(0.5, 1.5, size=(200, 64))).float()
    centroids = torch.from_numpy(rng.uniform(0.85, 1.15, size=(50, 64))).float()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        nearest = nearest_centroid(features, centroids, metric=metric)
    expected = nearest_centroid_loop(features.numpy(), centroids.numpy(), metric)
    assert nearest.tolist() == expected.tolist()


def test_cosine_tells_close_directions_apart_in_float32(rng):
    # Angles near 1e-3: 1 - cos is 5e-7, a few units in the last place of a float32 near 1.
    centroids = 1 + 1e-4 * torch.from_numpy(rng.normal(size=(40, 64))).float()
    labels = torch.from_numpy(rng.integers(0, 40, size=60))
    features = centroids[labels] * torch.from_numpy(rng.uniform(0.5, 2.0, size=(60, 1))).float()
    assert_close(nearest_centroid(features, centroids, metric='cosine'), labels)


@every_metric
def test_float64_features_and_float32_centroids_can_be_mixed(rng, metric):
    features, centroids = (
        torch.from_numpy(rng.normal(size=(9, 4))),
        torch.from_numpy(rng.normal(size=(5, 4))).float(),
    )
    expected = nearest_centroid_loop(features.numpy(), centroids.numpy(), metric)
    assert nearest_centroid(features, centroids, metric=metric).tolist() == expected.tolist()


def test_tensors_off_the_cpu_are_not_read_back():
    # A meta tensor has no values, so every read that would make an accelerator wait raises here.
    features, labels = torch.empty(6, 4, device='meta'), torch.empty(6, dtype=torch.long, device='meta')
    mean, count = class_centroids(features, labels, 3)
    assert (mean.shape, count.shape) == ((3, 4), (3,))
    assert nearest_centroid(features, mean).shape == (6,)


@pytest.mark.parametrize(
    ('features', 'centroids', 'options', 'words'),
    [
        (torch.ones(2, 3), torch.ones(4, 3), dict(metric='dot'), ('metric', 'dot')),
        (torch.ones(2, 3), torch.ones(4, 5), {}, ('centroids', '3', '5')),
        (torch.ones(3), torch.ones(4, 3), {}, ('features', r'\(3,\)|\[3\]')),
    ],
)
def test_bad_nearest_centroid_input_is_named(features, centroids, options, words):
    with pytest.raises(ValueError, match=saying(*words)):
        nearest_centroid(features, centroids, **options)
