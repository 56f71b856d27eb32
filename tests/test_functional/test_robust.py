"""The robust centroid loss: closed forms by hand, the double loop, and what must not change it."""

import math

import numpy as np
import pytest
import torch
from cases import DISTANCES, SCOPES, close, direct_loss, every_distance, every_scope, loop, make_batch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdrl.functional import dr_loss


def test_softmax_runs_over_the_samples_of_the_batch():
    # On a line: class 0 at 0 and 1 with centroid 0, class 1 at 3 with centroid 3.
    features = torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64)
    labels, centroids = torch.tensor([0, 0, 1]), torch.tensor([[0.0], [3.0]], dtype=torch.float64)
    first = math.log(1 + math.exp(-1) + math.exp(-3)) + (0 + 1) / 2
    second = math.log(1 + math.exp(-2) + math.exp(-3))
    close(dr_loss(features, labels, centroids, torch.zeros(2).double()), (first + second) / 2)


@every_scope
def test_margin_moves_a_sample_away_from_its_centroid(scope):
    # One sample per class, each on its centroid, 3 apart: both scopes give log(1 + exp((m eps - 3) / T)).
    features = torch.tensor([[0.0], [3.0]], dtype=torch.float64)
    radius = torch.tensor([0.5, 2.0], dtype=torch.float64)
    expected = [math.log1p(math.exp((1.5 * eps - 3) / 0.7)) for eps in (0.5, 2.0)]
    options = dict(temperature=0.7, margin=1.5, scope=scope)
    close(dr_loss(features, torch.tensor([0, 1]), features, radius, **options), sum(expected) / 2)
    weight = torch.tensor([3.0, 1.0], dtype=torch.float64)
    weighted = dr_loss(features, torch.tensor([0, 1]), features, radius, class_weight=weight, **options)
    close(weighted, (3 * expected[0] + expected[1]) / 4)


def test_chord_of_a_right_angle_is_the_square_root_of_two():
    # Centroids on the axes, one sample on each axis at any length: distances 0 and sqrt(2).
    features = torch.tensor([[5.0, 0.0], [0.0, 0.1]], dtype=torch.float64)
    centroids = torch.tensor([[0.3, 0.0], [0.0, 40.0]], dtype=torch.float64)
    value = dr_loss(features, torch.tensor([0, 1]), centroids, torch.zeros(2).double(), distance='chord')
    close(value, math.log1p(math.exp(-math.sqrt(2))))
    value = dr_loss(features, torch.tensor([0, 1]), centroids, torch.zeros(2).double(), distance='cosine')
    close(value, math.log1p(math.exp(-1)))


def test_squared_distance_is_not_rooted():
    # Each sample on its centroid, 1.5 apart: squared distances 0 and 2.25, to which the margin is added.
    features = torch.tensor([[0.0], [1.5]], dtype=torch.float64)
    value = dr_loss(features, torch.tensor([0, 1]), features, torch.full((2,), 0.25).double(), distance='squared')
    close(value, math.log1p(math.exp(0.25 - 2.25)))


@pytest.mark.parametrize(('distance', 'to_any', 'opposite'), [('chord', 1.0, 2.0), ('cosine', 0.5, 2.0)])
def test_zero_vector_has_one_distance_to_every_direction(distance, to_any, opposite):
    # Class 0 sees a sample without direction and one opposite to it; class 1 has the zero centroid.
    features = torch.tensor([[0.0, 0.0], [-3.0, 0.0]], dtype=torch.float64)
    centroids = torch.tensor([[0.1, 0.0], [0.0, 0.0]], dtype=torch.float64)
    value = dr_loss(features, torch.tensor([0, 1]), centroids, torch.zeros(2).double(), distance=distance)
    close(value, (math.log1p(math.exp(to_any - opposite)) + math.log1p(math.exp(to_any - 0.0))) / 2)


@every_scope
@every_distance
@pytest.mark.parametrize('temperature', [0.07, 1.0, 5.0])
@pytest.mark.parametrize('margin', [1.0, 2.0])
def test_equals_the_double_loop(rng, scope, distance, temperature, margin):
    options = dict(scope=scope, distance=distance, temperature=temperature, margin=margin)
    for _ in range(3):
        batch = make_batch(rng)
        weight = torch.from_numpy(rng.uniform(0.1, 3.0, size=5))
        close(dr_loss(*batch, **options), loop(*batch, **options))
        weighted = dr_loss(*batch, class_weight=weight, **options)
        close(weighted, loop(*batch, class_weight=weight.numpy(), **options))


def test_defaults_are_those_of_the_released_code(rng):
    batch = make_batch(rng)
    close(dr_loss(*batch), loop(*batch, temperature=1.0, margin=1.0, scope='class', distance='euclidean'))


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 10),
    num_classes=st.integers(1, 7),
    dim=st.integers(1, 5),
    scope=st.sampled_from(SCOPES),
    distance=st.sampled_from(DISTANCES),
    temperature=st.sampled_from([0.05, 0.5, 1.0, 10.0]),
)
def test_any_shape_equals_the_double_loop(seed, batch, num_classes, dim, scope, distance, temperature):
    tensors = make_batch(np.random.default_rng(seed), batch, num_classes, dim)
    options = dict(scope=scope, distance=distance, temperature=temperature, margin=2.0)
    weight = np.random.default_rng(seed).uniform(0.1, 3.0, size=num_classes)
    value = dr_loss(*tensors, class_weight=torch.from_numpy(weight), **options)
    expected = loop(*tensors, class_weight=weight, **options)
    close(value, expected)
    assert value >= 0
    # The second oracle, of which gradients are taken, agrees with the first.
    close(direct_loss(*tensors, class_weight=weight, **options), expected)


@every_distance
def test_more_than_25_samples_and_classes_equal_the_double_loop(rng, distance):
    # torch.cdist turns to matrix products above 25 rows.
    tensors = make_batch(rng, batch=40, num_classes=30)
    close(dr_loss(*tensors, distance=distance), loop(*tensors, distance=distance))
