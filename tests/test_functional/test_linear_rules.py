"""Rules that are linear in the features, against loops in NumPy and the nearest centroid itself."""

import numpy as np
import pytest
import torch
from cases import saying
from reference import nearest_centroid_loop
from torch.nn.functional import linear
from torch.testing import assert_close

from mmdrl.functional import ncm_as_linear, nearest_centroid, tau_normalized

METRICS = ('euclidean', 'cosine')
every_metric = pytest.mark.parametrize('metric', METRICS)


def random(rng, *shape):
    return torch.from_numpy(rng.normal(size=shape))


@pytest.mark.parametrize('tau', [0.0, 0.3, 1.0, 2.0])
def test_each_row_and_its_bias_are_divided_by_a_power_of_its_length(rng, tau):
    weight, bias = random(rng, 7, 5) * torch.logspace(-3, 3, 7, dtype=torch.float64)[:, None], random(rng, 7)
    new_weight, new_bias = tau_normalized(weight, bias, tau)
    for c, row in enumerate(weight.numpy()):
        factor = sum(value**2 for value in row) ** (tau / 2)
        np.testing.assert_allclose(new_weight[c].numpy(), row / factor, rtol=1e-12)
        assert new_bias[c].item() == pytest.approx(bias[c].item() / factor, rel=1e-12)


def test_three_four_five():
    weight, bias = tau_normalized(torch.tensor([[3.0, 4.0], [0.0, 0.5]]), torch.tensor([10.0, 1.0]), 1.0)
    assert_close(weight, torch.tensor([[0.6, 0.8], [0.0, 1.0]]))
    assert_close(bias, torch.tensor([2.0, 2.0]))


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_tau_zero_is_the_classifier_bit_for_bit(rng, dtype):
    weight, bias = random(rng, 6, 4).to(dtype), random(rng, 6).to(dtype)
    new_weight, new_bias = tau_normalized(weight, bias, 0.0)
    assert (new_weight.dtype, new_bias.dtype) == (dtype, dtype)
    assert torch.equal(new_weight, weight)
    assert torch.equal(new_bias, bias)


def test_tau_one_gives_rows_of_length_one_and_no_bias_stays_none(rng):
    weight, bias = tau_normalized(random(rng, 6, 4), None, 1.0)
    assert bias is None
    assert_close(weight.norm(dim=1), torch.ones(6, dtype=torch.float64))


def test_without_bias_the_order_of_the_classes_of_rows_of_one_length_stays(rng):
    weight, features = torch.nn.functional.normalize(random(rng, 6, 4)) * 3, random(rng, 50, 4)
    expected = linear(features, weight).argmax(dim=1)
    assert torch.equal(linear(features, tau_normalized(weight, None, 0.7)[0]).argmax(dim=1), expected)


def test_row_of_zeros_stays_with_its_bias_and_a_finite_gradient():
    weight = torch.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    bias = torch.tensor([7.0, 5.0])
    new_weight, new_bias = tau_normalized(weight, bias, 1.0)
    assert new_weight[0].tolist() == [0, 0]
    assert new_bias.tolist() == [7, 1]
    new_weight.sum().backward()
    assert weight.grad.isfinite().all()


def test_gradient_is_that_of_finite_differences(rng):
    inputs = random(rng, 3, 4).requires_grad_(), random(rng, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda weight, bias: tau_normalized(weight, bias, 0.6), inputs)


@pytest.mark.parametrize('tau', [-0.1, float('nan'), float('inf')])
def test_tau_out_of_range_is_named(tau):
    with pytest.raises(ValueError, match=saying('tau', str(tau))):
        tau_normalized(torch.ones(2, 2), None, tau)


@pytest.mark.parametrize(('weight', 'bias'), [((2,), None), ((2, 3), (3,)), ((2, 3), (2, 1)), ((1, 2, 3), None)])
def test_other_shapes_are_refused(weight, bias):
    with pytest.raises(ValueError, match=saying(r'\(K, D\)')):
        tau_normalized(torch.ones(weight), None if bias is None else torch.ones(bias), 1.0)


@every_metric
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_largest_logit_is_the_nearest_centroid(rng, metric, dtype):
    features, centroids = random(rng, 400, 6).to(dtype), random(rng, 9, 6).to(dtype)
    weight, bias = ncm_as_linear(centroids, metric)
    assert (weight.dtype, bias.dtype) == (dtype, dtype)
    predicted = linear(features, weight, bias).argmax(dim=1)
    assert torch.equal(predicted, nearest_centroid(features, centroids, metric))
    np.testing.assert_array_equal(predicted.numpy(), nearest_centroid_loop(features, centroids, metric))


def test_logits_are_minus_half_the_squared_distance_but_for_one_number_per_sample(rng):
    features, centroids = random(rng, 20, 6), random(rng, 9, 6)
    logits = linear(features, *ncm_as_linear(centroids))
    expected = torch.tensor([[-((z - mu) ** 2).sum() / 2 for mu in centroids] for z in features], dtype=torch.float64)
    assert_close(logits - logits[:, :1], expected - expected[:, :1])


def test_cosine_logits_are_the_cosine_times_the_length_of_the_features(rng):
    features, centroids = random(rng, 20, 6), random(rng, 9, 6)
    weight, bias = ncm_as_linear(centroids, 'cosine')
    assert bias.tolist() == [0] * 9
    expected = torch.cosine_similarity(features[:, None], centroids, dim=2) * features.norm(dim=1, keepdim=True)
    assert_close(linear(features, weight, bias), expected)


def test_common_offset_costs_few_digits(rng):
    # |mu|^2 is 6,000,000 here, of which float32 knows no fraction, and differences are near 1.
    exact = random(rng, 2000, 6) + 1000, random(rng, 9, 6) + 1000
    features, centroids = (x.float() for x in exact)
    predicted = linear(features, *ncm_as_linear(centroids)).argmax(dim=1)
    naive = linear(features, centroids, -centroids.square().sum(dim=1) / 2).argmax(dim=1)
    nearest = nearest_centroid(features.double(), centroids.double())
    assert (predicted != nearest).sum() <= 2
    assert (naive != nearest).sum() > 100


@every_metric
def test_half_precision_becomes_float32_and_one_class_is_enough(metric):
    weight, bias = ncm_as_linear(torch.tensor([[3.0, 4.0]], dtype=torch.float16), metric)
    assert (weight.dtype, weight.shape, bias.shape) == (torch.float32, (1, 2), (1,))


def test_cosine_of_a_centroid_of_zeros_is_zero():
    weight, bias = ncm_as_linear(torch.tensor([[0.0, 0.0], [3.0, 4.0]]), 'cosine')
    assert_close(weight, torch.tensor([[0.0, 0.0], [0.6, 0.8]]))
    assert bias.tolist() == [0, 0]


@pytest.mark.parametrize('shape', [(0, 3), (3,), (2, 3, 4)])
def test_no_centroids_or_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=saying('centroids', r'\(K, D\)')):
        ncm_as_linear(torch.zeros(shape))


def test_unknown_metric_is_named():
    with pytest.raises(ValueError, match=saying('metric', "'chord'", "'cosine'")):
        ncm_as_linear(torch.ones(2, 2), 'chord')
