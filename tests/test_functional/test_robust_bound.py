"""Sample scope with margin 2 bounds the worst case over the balls; class scope does not."""

import math

import numpy as np
import pytest
import torch
from cases import close, every_distance, make_batch

from mmdrl.functional import dr_loss

METRICS = ('euclidean', 'chord')


def centroid_ball(centre, radius, distance):
    """Dense points of the ball around ``centre`` (2,); on the circle of directions for the chord distance."""
    if distance == 'euclidean':
        length = radius * np.sqrt(np.linspace(0, 1, 25))
        angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return centre + (length[:, None, None] * circle).reshape(-1, 2)
    # A chord of length r spans the angle 2 arcsin(r / 2); from length 2 on, the ball is the whole circle.
    half = 2 * np.arcsin(min(radius, 2.0) / 2)
    angle = np.arctan2(centre[1], centre[0]) + np.linspace(-half, half, 3001)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def worst_case_loss(features, labels, centroids, radius, temperature, weight, distance):
    """Largest plain loss over centroids in their balls. The classes separate, so each is searched alone."""
    if distance == 'chord':
        features = features / np.linalg.norm(features, axis=1, keepdims=True)
    present = sorted(set(labels.tolist()))
    worst = []
    for c in present:
        candidates = centroid_ball(centroids[c], radius[c], distance)
        logits = -np.linalg.norm(candidates[:, None] - features[None], axis=2) / temperature
        log_sum = np.logaddexp.reduce(logits, axis=1)
        worst.append((log_sum - logits[:, labels == c].mean(axis=1)).max())
    return np.average(worst, weights=weight[present])


@pytest.mark.parametrize('distance', METRICS)
def test_sample_scope_with_margin_two_bounds_the_worst_case_over_the_balls(rng, distance):
    gaps = []
    for temperature in (0.1, 1.0, 4.0):
        for _ in range(25):
            classes = int(rng.integers(1, 4))
            batch = make_batch(rng, batch=int(rng.integers(1, 9)), num_classes=classes, dim=2)
            weight = rng.uniform(0.1, 2.0, size=classes)
            worst = worst_case_loss(*(x.numpy() for x in batch), temperature, weight, distance)
            options = dict(temperature=temperature, distance=distance, class_weight=torch.from_numpy(weight))
            bound = dr_loss(*batch, margin=2.0, scope='sample', **options).item()
            plain = dr_loss(*batch, margin=0.0, scope='sample', **options).item()
            assert worst >= plain - 1e-5  # the search found the ball
            gaps.append(bound - worst)
    assert min(gaps) >= -1e-9


def two_samples_of_one_class(eps):
    """Samples at -1 and 1 around the centroid 0. Moved by eps <= 1, the plain loss is log(2 cosh eps)."""
    features = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    zero = torch.zeros(1, 1, dtype=torch.float64)
    return features, torch.tensor([0, 0]), zero, torch.tensor([eps], dtype=torch.float64)


@pytest.mark.parametrize('margin', [1.0, 2.0])
def test_class_scope_is_below_the_worst_case_in_a_batch_of_one_class(margin):
    batch = two_samples_of_one_class(0.5)
    worst = math.log(2 * math.cosh(0.5))
    moved = dr_loss(batch[0], batch[1], batch[2] + 0.5, batch[3], margin=0.0)
    close(moved, worst)
    value = dr_loss(*batch, margin=margin, scope='class')
    close(value, math.log(2))
    assert value < worst
    # Sample scope keeps its promise there: log(1 + exp(2 eps)).
    bound = dr_loss(*batch, margin=2.0, scope='sample')
    close(bound, math.log1p(math.exp(1.0)))
    assert bound >= worst


@every_distance
def test_class_scope_in_a_batch_of_one_class_equals_the_plain_loss(rng, distance):
    features, labels, centroids, radius = make_batch(rng, present=[3])
    value = dr_loss(features, labels, centroids, radius, margin=2.0, distance=distance)
    plain = dr_loss(features, labels, centroids, torch.zeros(5).double(), distance=distance)
    close(value, plain.item(), atol=1e-12)


def test_squared_distances_exceed_the_bound_by_any_amount():
    # Samples at -10 and 10 around the centroid 0: moved by 1/2 their squared distances are 20 apart, eps is 0.5.
    features = torch.tensor([[-10.0], [10.0]], dtype=torch.float64)
    labels, zero, radius = torch.tensor([0, 0]), torch.zeros(1, 1).double(), torch.tensor([0.5]).double()
    moved = dr_loss(features, labels, zero + 0.5, radius, margin=0.0, distance='squared')
    close(moved, math.log(2 * math.cosh(10.0)))
    bound = dr_loss(features, labels, zero, radius, margin=2.0, scope='sample', distance='squared')
    close(bound, math.log1p(math.exp(1.0)))
    assert moved > bound + 8


@pytest.mark.parametrize(('ball', 'is_bounded'), [('chord', True), ('1 - cos', False)])
def test_cosine_is_bounded_if_the_chord_measures_the_ball(ball, is_bounded):
    # Samples at a right angle on both sides of the centroid, turned by an angle: cosines of +-sin(angle).
    features = torch.tensor([[0.0, 3.0], [0.0, -0.2]], dtype=torch.float64)
    labels, eps, temperature = torch.tensor([0, 0]), 0.02, 0.1
    angle = 2 * math.asin(eps / 2) if ball == 'chord' else math.acos(1 - eps)
    centre, turned = torch.tensor([[[2.0, 0.0]], [[math.cos(angle), math.sin(angle)]]], dtype=torch.float64)
    options = dict(temperature=temperature, distance='cosine', scope='sample')
    radius = torch.tensor([eps], dtype=torch.float64)
    worst = dr_loss(features, labels, turned, radius, margin=0.0, **options)
    close(worst, math.log(2 * math.cosh(math.sin(angle) / temperature)))
    bound = dr_loss(features, labels, centre, radius, margin=2.0, **options)
    close(bound, math.log1p(math.exp(2 * eps / temperature)))
    assert (worst <= bound) == is_bounded
