"""Large distances over small temperatures, large margins, distance zero and vectors without direction."""

import itertools
import math

import pytest
import torch
from cases import (
    cast,
    direct_loss,
    every_distance,
    every_scope,
    loop,
    make_batch,
    relative_errors,
    value_and_gradients,
)
from torch.testing import assert_close

from mmdrl.functional import dr_loss

every_dtype = pytest.mark.parametrize('dtype', [torch.float32, torch.float64])


@every_scope
@every_distance
@every_dtype
@pytest.mark.parametrize(('scale', 'temperature'), [(1e4, 1.0), (1e3, 0.07), (1e4, 0.07)])
def test_large_distances_stay_finite_and_right(rng, scope, distance, scale, temperature, dtype):
    # exp(-1000 / 0.07) is 0 in every precision: only a softmax of differences survives.
    features, labels, centroids, radius = cast(make_batch(rng, batch=32), dtype)
    batch, options = (scale * features, labels, scale * centroids, radius), dict(scope=scope, distance=distance)
    value, *gradients = value_and_gradients(dr_loss, *batch, temperature=temperature, **options)
    assert value.item() == pytest.approx(loop(*batch, temperature=temperature, **options), rel=1e-5)
    assert all(g.isfinite().all() for g in gradients)


@every_scope
@pytest.mark.parametrize('distance', ['euclidean', 'squared'])
def test_small_temperature_has_the_right_gradients_at_large_distances(rng, scope, distance):
    # Whole distances, so that float32 keeps their differences: axes of lengths near 1000.
    lengths = torch.tensor([1000.0, 1001, 1002, 1003, 999, 1004])
    batch = torch.diag(lengths), torch.tensor([0, 0, 1, 1, 2, 2]), torch.zeros(3, 6), torch.ones(3)
    options = dict(scope=scope, distance=distance, temperature=0.07 if distance == 'euclidean' else 100.0, margin=2.0)
    assert max(relative_errors(dr_loss, batch, **options)) <= 1e-3


@every_distance
@every_dtype
def test_margin_of_three_hundred_temperatures_is_added_in_sample_scope(rng, distance, dtype):
    # e^-300 is 0 in float32, so the probability of the sample is, but not its logarithm.
    features, labels, centroids, radius = cast(make_batch(rng, batch=32), dtype)
    radius = torch.full_like(radius, 15.0)
    batch, options = (features, labels, centroids, radius), dict(scope='sample', distance=distance, margin=2.0)
    value, *gradients = value_and_gradients(dr_loss, *batch, temperature=0.1, **options)
    expected, *truth = value_and_gradients(direct_loss, *cast(batch, torch.float64), temperature=0.1, **options)
    assert value.item() == pytest.approx(loop(*batch, temperature=0.1, **options), rel=1e-5)
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    for is_, should_be in zip(gradients, truth, strict=True):
        assert (is_ - should_be).norm() <= 1e-3 * should_be.norm()


@every_scope
@every_dtype
def test_margin_is_added_although_the_rest_of_the_softmax_vanishes_beside_the_sample(scope, dtype):
    # A sample on its centroid has all the probability, the others e^-100: the sum without it is no difference of sums.
    features = torch.tensor([[0.0], [100.0], [101.0]], dtype=dtype)
    centroids, radius = features[:2], torch.tensor([150.0, 0.0], dtype=dtype)
    batch, options = (features, torch.tensor([0, 1, 1]), centroids, radius), dict(scope=scope, margin=2.0)
    value, *gradients = value_and_gradients(dr_loss, *batch, **options)
    rest = math.log(math.exp(-100) + math.exp(-101))
    first = 300 + rest  # log(e^rest + e^-300) + 300
    second = math.log1p(math.exp(-1)) + 0.5
    assert value.item() == pytest.approx((first + second) / 2, rel=1e-6)
    # Class 0 pushes its rivals: P = (1, e^-1) / (1 + e^-1), half of it and towards larger distances.
    share = torch.tensor([1.0, math.exp(-1)], dtype=dtype) / (1 + math.exp(-1))
    of_own = torch.tensor([0.0, 0.5 - share[1].item()], dtype=dtype)  # 1 / n - P, the first one is on its centroid
    assert_close(gradients[0][1:, 0], (of_own - share) / 2, rtol=1e-5, atol=1e-6)
    assert_close(gradients[1][0].item(), 1.0, rtol=1e-6, atol=0)  # m (1 - P) / (T C) with P = 0


@every_scope
@every_distance
@every_dtype
def test_sample_on_its_centroid_has_a_finite_and_right_gradient(rng, scope, distance, dtype):
    # Its own pair pushes nowhere: the gradient is that of the other pairs alone.
    for offset, batch in itertools.product((0.0, 30.0, 1000.0), (2, 8, 40)):
        features, labels, centroids, radius = make_batch(rng, batch=batch, num_classes=4)
        features, centroids, radius = (x.to(dtype) for x in (features + offset, centroids + offset, radius))
        features[0] = centroids[labels[0]]
        features[1] = features[0]
        tensors, options = (features, labels, centroids, radius), dict(scope=scope, distance=distance)
        _, found, _ = value_and_gradients(dr_loss, *tensors, **options)
        _, expected, _ = value_and_gradients(direct_loss, *cast(tensors, torch.float64), **options)
        largest = expected.norm(dim=1).max()
        assert ((found - expected).norm(dim=1) <= 1e-3 * largest + 1e-12).all(), (offset, batch)


@every_scope
@every_distance
@every_dtype
@pytest.mark.parametrize('length', [0.01, 1.0, 1000.0])
def test_sample_on_the_only_centroid_stays_there(rng, scope, distance, dtype, length):
    features, labels, centroids, radius = cast(make_batch(rng, batch=30, num_classes=1, dim=7), dtype)
    features[3] = centroids[0]
    batch = length * features, labels, length * centroids, radius
    _, gradient, _ = value_and_gradients(dr_loss, *batch, scope=scope, distance=distance)
    assert gradient[3].abs().max() == 0
    assert gradient.isfinite().all()


@every_scope
@every_distance
def test_all_samples_on_one_centroid(scope, distance):
    # Every distance is 0, so P = 1 / B before the margin; class scope cancels the margin.
    batch = torch.full((4, 3), 2.0), torch.zeros(4).long(), torch.full((1, 3), 2.0), torch.tensor([1.0])
    value, gradient, _ = value_and_gradients(dr_loss, *batch, scope=scope, distance=distance)
    assert value.item() == pytest.approx(math.log(4) if scope == 'class' else math.log(1 + 3 * math.e), abs=1e-6)
    assert gradient.abs().max() == 0


@every_scope
@every_dtype
@pytest.mark.parametrize('distance', ['chord', 'cosine'])
@pytest.mark.parametrize('is_alone', [True, False])
def test_vector_without_direction_has_a_small_gradient(rng, scope, distance, dtype, is_alone):
    # 1 / |z| times a cut-off of 1e-12 would be a step of 1e12.
    features, labels, centroids, radius = cast(make_batch(rng, batch=8), dtype)
    features[0] = 0
    if is_alone:
        features, labels = features[:2], labels[:2]
    batch, options = (features, labels, centroids, radius), dict(scope=scope, distance=distance)
    value, gradient, _ = value_and_gradients(dr_loss, *batch, **options)
    assert value.item() == pytest.approx(loop(*batch, **options), rel=1e-5)
    assert gradient.isfinite().all()
    assert gradient.abs().max() < 10


@every_scope
@pytest.mark.parametrize('distance', ['chord', 'cosine'])
def test_centroid_without_direction_attracts_nobody(rng, scope, distance):
    # Every direction is equally far from it, so nothing depends on the samples.
    features, labels, centroids, radius = make_batch(rng, num_classes=1)
    batch, options = (features, labels, 0 * centroids, radius), dict(scope=scope, distance=distance)
    value, gradient, _ = value_and_gradients(dr_loss, *batch, **options)
    assert value.item() == pytest.approx(loop(*batch, **options), rel=1e-9)
    assert gradient.abs().max() < 1e-12


@pytest.mark.parametrize('distance', ['chord', 'cosine'])
@pytest.mark.parametrize('length', [1e-15, 1e-6, 1e6, 1e30])
def test_directions_of_tiny_and_huge_vectors_are_right(rng, distance, length):
    # The square of 1e30 is outside of float32. The gradient of a direction goes with 1 / length.
    features, labels, centroids, radius = cast(make_batch(rng, batch=30))
    value, gradient, _ = value_and_gradients(dr_loss, features, labels, centroids, radius, distance=distance)
    scaled = value_and_gradients(dr_loss, length * features, labels, centroids, radius, distance=distance)
    assert_close(scaled[0], value, rtol=1e-5, atol=0)
    assert_close(length * scaled[1], gradient, rtol=1e-3, atol=1e-5)
