"""Measures of features against loops, known distributions, and features that have collapsed by construction."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch.testing import assert_close

from mmdrl.evaluation.representation import (
    Moments,
    centroid_errors,
    class_moments,
    effective_rank,
    effective_rank_of_features,
    mean_by_group,
    moments,
    nearest_other,
    neural_collapse,
    rank_correlation,
    within_scatter,
)

COUNTS = (9, 4, 2, 1)


@pytest.fixture
def tail(rng):
    """Features (16, 3), far from the origin, and labels of four classes in no order."""
    labels = rng.permutation(np.repeat(range(len(COUNTS)), COUNTS))
    return rng.normal(size=(16, 3)) + 100 + 4 * labels[:, None], labels


@pytest.fixture(params=[moments.PART, 6])
def tensors(tail, request, monkeypatch):
    """The same as tensors, worked on as a whole and two rows at a time."""
    monkeypatch.setattr(moments, 'PART', request.param)
    return torch.tensor(tail[0]), torch.tensor(tail[1])


def means_loop(features, labels):
    return [np.mean([z for z, y in zip(features, labels, strict=True) if y == c], axis=0) for c in range(len(COUNTS))]


def test_moments_are_those_of_a_loop(tail, tensors):
    result = class_moments(*tensors, 4)
    means = means_loop(*tail)
    squares = [
        np.mean([np.sum((z - mean) ** 2) for z, y in zip(*tail, strict=True) if y == c]) for c, mean in enumerate(means)
    ]
    np.testing.assert_allclose(result.means, means, rtol=1e-14)
    np.testing.assert_allclose(result.variances, squares, rtol=1e-12, atol=1e-20)
    assert tuple(result.counts) == COUNTS
    np.testing.assert_allclose(result.spreads[:3], np.sqrt(squares[:3]), rtol=1e-12)
    assert result.spreads[3].isnan()  # one image has no spread


def test_scatter_is_the_mean_of_the_covariances_of_the_classes(tail, tensors):
    scatter = within_scatter(*tensors, class_moments(*tensors, 4))
    covariances = [np.cov(tail[0][tail[1] == c].T, bias=True) for c in range(3)] + [np.zeros((3, 3))]
    np.testing.assert_allclose(scatter, np.mean(covariances, axis=0), rtol=1e-12, atol=1e-14)


def test_class_without_images_takes_part_in_nothing(tensors):
    features, labels = tensors
    with_gap = class_moments(features, labels + (labels > 1), 5)  # nobody is of class 2
    without = class_moments(features, labels, 4)
    assert with_gap.means[2].isnan().all()
    assert with_gap.spreads[2].isnan()
    assert_close(within_scatter(features, labels + (labels > 1), with_gap), within_scatter(features, labels, without))
    errors = centroid_errors(with_gap, with_gap)
    assert all(value[2].isnan() for value in errors.values())
    assert_close(nearest_other(with_gap.means)[[0, 1, 3, 4]], nearest_other(without.means))


@pytest.mark.parametrize(
    ('features', 'labels'), [((3, 2), (2,)), ((3,), (3,)), ((0, 2), (0,))], ids=['lengths', 'shape', 'empty']
)
def test_moments_want_a_label_for_each_row(features, labels):
    with pytest.raises(ValueError, match=r'Expected features \(N, D\) and labels \(N,\)'):
        class_moments(torch.zeros(features), torch.zeros(labels).long(), 2)


def test_nearest_other_mean_is_that_of_a_loop(rng):
    means = rng.normal(size=(7, 3)) + 1000
    wanted = [min(np.linalg.norm(a - b) for j, b in enumerate(means) if j != i) for i, a in enumerate(means)]
    np.testing.assert_allclose(nearest_other(torch.tensor(means)), wanted, rtol=1e-9)
    assert nearest_other(torch.zeros(1, 3).double()).isnan().all()


def test_centroid_errors_of_a_hand_made_case():
    # Class 0: train mean 0, test mean 3 with variance 4 of 5 images; class 1 lies 10 away.
    train = Moments(torch.tensor([[0.0], [10.0]]).double(), torch.tensor([1.0, 1.0]).double(), torch.tensor([2, 8]))
    test = Moments(torch.tensor([[3.0], [10.0]]).double(), torch.tensor([4.0, 0.0]).double(), torch.tensor([5, 1]))
    errors = {name: values.tolist() for name, values in centroid_errors(train, test).items()}
    assert errors['centroid_error'] == [3, 0]
    assert errors['error_to_spread'][0] == 3 / 2
    assert errors['error_to_nearest'] == [3 / 10, 0]
    assert errors['expected_error'][0] == pytest.approx(math.sqrt(4 * 5 / 4 * (1 / 2 + 1 / 5)))
    assert errors['error_to_expected'][0] == pytest.approx(3 / errors['expected_error'][0])
    for name in ('error_to_spread', 'expected_error', 'error_to_expected'):
        assert math.isnan(errors[name][1])  # of one test image there is no spread


@pytest.mark.parametrize(('size', 'width'), [(2, 50), (10, 20)])
def test_centroid_error_of_gaussian_draws_is_the_expected_one(rng, size, width):
    # Known: the difference of means of n and m draws has the mean square s^2 D (1/n + 1/m).
    classes, held_out, scale = 400, 40, 3.0
    draw = lambda number: torch.tensor(scale * rng.normal(size=(classes * number, width)))  # noqa: E731
    labels = lambda number: torch.arange(classes).repeat_interleave(number)  # noqa: E731
    errors = centroid_errors(
        class_moments(draw(size), labels(size), classes), class_moments(draw(held_out), labels(held_out), classes)
    )
    wanted = scale * math.sqrt(width * (1 / size + 1 / held_out))
    assert errors['centroid_error'].square().mean().sqrt().item() == pytest.approx(wanted, rel=0.03)
    assert errors['expected_error'].square().mean().sqrt().item() == pytest.approx(wanted, rel=0.03)
    assert errors['error_to_expected'].square().mean().sqrt().item() == pytest.approx(1, rel=0.03)


def test_centroid_errors_do_not_depend_on_the_unit_but_for_the_absolute_ones(tensors):
    features, labels = tensors
    test = class_moments(features + torch.linspace(0, 1, 16)[:, None], labels, 4)
    once = centroid_errors(class_moments(features, labels, 4), test)
    twice = centroid_errors(
        class_moments(2 * features, labels, 4), Moments(2 * test.means, 4 * test.variances, test.counts)
    )
    for name, values in once.items():
        factor = 2 if name in ('centroid_error', 'expected_error') else 1
        assert_close(twice[name], factor * values, equal_nan=True)


@pytest.mark.parametrize('number', [1, 4])
def test_effective_rank_of_equal_values_is_their_number(number):
    assert effective_rank(torch.tensor([2.5] * number + [0.0] * 3)) == pytest.approx(number)


def test_effective_rank_of_two_values_is_that_of_their_entropy():
    assert effective_rank(torch.tensor([3.0, 1.0])) == pytest.approx(
        math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    )
    assert math.isnan(effective_rank(torch.zeros(3)))
    with pytest.raises(ValueError, match='not negative'):
        effective_rank(torch.tensor([-1.0, 2.0]))


def test_effective_rank_of_features_weighs_classes_alike(tail, tensors):
    of_train = class_moments(*tensors, 4)
    rows = tail[0] - np.mean(means_loop(*tail), axis=0)
    weighed = rows / np.sqrt(np.array(COUNTS)[tail[1]])[:, None]
    values = np.linalg.svd(weighed, compute_uv=False)
    shares = values / values.sum()
    result = effective_rank_of_features(within_scatter(*tensors, of_train), of_train)
    assert result == pytest.approx(math.exp(-(shares * np.log(shares)).sum()), rel=1e-10)


def simplex(num_classes, width, rng):
    """Corners of a simplex with centre 0, turned at random, shape (K, D)."""
    corners = np.eye(num_classes) - 1 / num_classes
    turn = np.linalg.qr(rng.normal(size=(width, width)))[0]
    return torch.tensor(corners @ turn[:num_classes])


@pytest.mark.parametrize(('num_classes', 'width'), [(2, 2), (5, 5), (5, 9)])
def test_collapsed_features_have_zero_in_all_measures(rng, num_classes, width):
    corners = simplex(num_classes, width, rng)
    features, labels = (3 * corners + 7).repeat(4, 1), torch.arange(num_classes).repeat(4)
    of_all = class_moments(features, labels, num_classes)
    numbers = neural_collapse(of_all.means, within_scatter(features, labels, of_all), 0.2 * corners)
    assert set(numbers) == {'nc1', 'nc2_norms', 'nc2_angles', 'nc2_simplex', 'nc2_weight_norms', 'nc3'}
    assert all(abs(value) < 1e-12 for value in numbers.values())


def test_collapse_is_that_of_loops(rng):
    means, weight, root = rng.normal(size=(4, 6)), rng.normal(size=(4, 6)), rng.normal(size=(6, 6))
    within = root @ root.T
    numbers = neural_collapse(torch.tensor(means), torch.tensor(within), torch.tensor(weight))
    centred = means - means.mean(axis=0)
    between = sum(np.outer(row, row) for row in centred) / 4
    cosines = [
        a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        for i, a in enumerate(centred)
        for j, b in enumerate(centred)
        if i != j
    ]
    lengths = np.linalg.norm(centred, axis=1)
    assert numbers['nc1'] == pytest.approx(np.trace(within @ np.linalg.pinv(between, rcond=1e-10)) / 4)
    assert numbers['nc2_norms'] == pytest.approx(lengths.std() / lengths.mean())
    assert numbers['nc2_angles'] == pytest.approx(np.std(cosines))
    assert numbers['nc2_simplex'] == pytest.approx(np.mean(np.abs(np.array(cosines) + 1 / 3)))
    of_weight = np.linalg.norm(weight, axis=1)
    assert numbers['nc2_weight_norms'] == pytest.approx(of_weight.std() / of_weight.mean())
    apart = weight / np.linalg.norm(weight) - centred / np.linalg.norm(centred)
    assert numbers['nc3'] == pytest.approx(np.linalg.norm(apart) ** 2)


def test_collapse_without_classifier_or_classes_is_nan():
    means, within = torch.eye(3).double(), torch.eye(3).double()
    assert {k for k, v in neural_collapse(means, within).items() if math.isnan(v)} == {'nc2_weight_norms', 'nc3'}
    assert all(math.isnan(v) for v in neural_collapse(means[:1], within).values())
    assert all(math.isnan(v) for v in neural_collapse(torch.ones(3, 3).double(), within).values())
    # 0.1 three times is not 0.3: what is left of the means when they are centred is rounding.
    assert all(math.isnan(v) for v in neural_collapse(torch.full((3, 3), 0.1, dtype=torch.float64), within).values())
    with pytest.raises(ValueError, match=r'Expected means \(K, D\)'):
        neural_collapse(means, within[:2])


def test_collapse_does_not_depend_on_where_the_origin_is(rng):
    features, labels = torch.tensor(rng.normal(size=(20, 8))), torch.arange(5).repeat(4)
    of_all = class_moments(features, labels, 5)
    expected = neural_collapse(of_all.means, within_scatter(features, labels, of_all))
    features = features + 10_000
    of_all = class_moments(features, labels, 5)
    found = neural_collapse(of_all.means, within_scatter(features, labels, of_all))
    assert found == pytest.approx(expected, rel=1e-6, nan_ok=True)


def test_mean_by_group_leaves_out_nan():
    groups = {'many': [True, True, False], 'few': [False, False, False]}
    result = mean_by_group([2.0, math.nan, 4.0], groups)
    assert result['many'] == 2
    assert math.isnan(result['few'])
    assert result['all'] == 3


def test_rank_correlation_sees_order_alone(rng):
    counts, values = [50, 20, 5, 2], [0.1, 0.2, 7.0, 9.0]
    assert rank_correlation(values, counts) == pytest.approx(-1)
    noise = rng.normal(size=(2, 30))
    assert rank_correlation(noise[0], noise[1]) == pytest.approx(spearmanr(noise[0], noise[1]).statistic)
    assert rank_correlation([*values, math.nan], [*counts, 90]) == pytest.approx(-1)
    for constant in ([1, 1, 1, 1], [math.nan, math.nan, 1, 2]):
        assert math.isnan(rank_correlation(constant, counts))
