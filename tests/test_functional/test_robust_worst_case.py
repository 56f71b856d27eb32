"""The bound of sample scope against the worst centroids that projected gradient ascent finds in the balls.

The ascent knows nothing of the package: float64 autograd on the plain loss, 200 cases and all restarts in one
tensor, padded to 16 samples, 6 classes and 16 features. The classes separate, so each keeps its own worst centroid.
"""

from typing import NamedTuple

import pytest
import torch
from cases import direct_distances, direction
from torch import Tensor

from mmdrl.functional import dr_loss

CASES, RESTARTS, STEPS, BATCH, CLASSES, DIM = 200, 3, 30, 16, 6, 16
# Which balls the radius bounds: of centroids, or of directions by their chord.
METRIC = {'euclidean': 'euclidean', 'chord': 'chord', 'cosine': 'chord'}


class Cases(NamedTuple):
    features: Tensor  # (N, B, D), zero from the size of the case on
    labels: Tensor  # (N, B), -1 from the size of the case on
    centroids: Tensor  # (N, K, D)
    radius: Tensor  # (N, K)
    weight: Tensor  # (N, K)
    temperature: Tensor  # (N,)
    is_dim: Tensor  # (N, D), whether the case has this dimension


def random_cases(generator, distance):
    """Cases of 2 to 16 dimensions, 1 to 6 classes, 1 to 16 samples; directions for chord and cosine."""
    options = dict(generator=generator, dtype=torch.float64)
    ranges = torch.tensor([[1, BATCH], [1, CLASSES], [2, DIM]])[:, None]
    sizes = ranges[..., 0] + (torch.rand(3, CASES, **options) * (1 + ranges[..., 1] - ranges[..., 0])).long()
    batch, classes, dim = sizes[..., None]  # (N, 1) each
    is_dim = torch.arange(DIM) < dim
    labels = (torch.rand(CASES, BATCH, **options) * classes).long().masked_fill(torch.arange(BATCH) >= batch, -1)
    features = torch.randn(CASES, BATCH, DIM, **options) * is_dim[:, None] * (labels >= 0)[..., None]
    centroids = torch.randn(CASES, CLASSES, DIM, **options) * is_dim[:, None]
    if METRIC[distance] == 'chord':
        centroids = direction(centroids)
    temperature = torch.tensor([0.1, 1.0, 4.0], dtype=torch.float64)[torch.arange(CASES) % 3]
    radius, weight = 0.05 + 1.95 * torch.rand(2, CASES, CLASSES, **options)
    return Cases(features, labels, centroids, radius, weight, temperature, is_dim)


def class_losses(centroids, cases, distance):
    """Plain loss of each class (..., N, K) for centroids (..., N, K, D); 0 for a class without samples."""
    own = cases.labels[:, None] == torch.arange(CLASSES)[:, None]  # (N, K, B)
    logits = -direct_distances(cases.features, centroids, distance) / cases.temperature[:, None, None]
    log_sum = logits.masked_fill(cases.labels[:, None] < 0, float('-inf')).logsumexp(-1)
    sizes = own.sum(-1)
    return (log_sum - (logits * own).sum(-1) / sizes.clamp(min=1)).masked_fill(sizes == 0, 0)


def into_ball(points, cases, metric, radius):
    """The nearest points of the balls: back along the line to the centre, or along the great circle."""
    centre, radius = cases.centroids, radius[..., None]
    if metric == 'euclidean':
        step = points - centre
        return centre + step * (radius / step.norm(dim=-1, keepdim=True).clamp(min=1e-300)).clamp(max=1)
    points = direction(points)
    tangent = direction(points - (points * centre).sum(-1, keepdim=True) * centre)
    angle = 2 * (radius / 2).clamp(max=1).asin()  # a chord r spans the angle 2 arcsin(r / 2)
    edge = angle.cos() * centre + angle.sin() * tangent
    return edge.where((points - centre).norm(dim=-1, keepdim=True) > radius, points)


def ascend(generator, cases, distance, metric, radius):
    """Largest class losses (N, K) met on the way up, and the largest distance from a centre over its radius."""
    noise = torch.randn(RESTARTS, *cases.centroids.shape, generator=generator, dtype=torch.float64)
    start = cases.centroids + radius[..., None] * noise * cases.is_dim[:, None]
    points, best, reach = into_ball(start, cases, metric, radius), torch.zeros(()), 0.0
    for step in range(STEPS):
        points = points.detach().requires_grad_()
        losses = class_losses(points, cases, distance)
        best = torch.maximum(best, losses.detach().amax(0))
        reach = max(reach, ((points - cases.centroids).norm(dim=-1) / radius).max().item())
        (gradient,) = torch.autograd.grad(losses.sum(), points)
        stride = radius[..., None] * 0.8 * (1 - step / STEPS)
        points = into_ball(points + stride * direction(gradient), cases, metric, radius)
    return best, reach


def losses_of_the_package(cases, distance, radius, **options):
    """``dr_loss`` of every case, without its padding."""
    values = []
    for i in range(CASES):
        is_sample, is_dim = cases.labels[i] >= 0, cases.is_dim[i]
        batch = cases.features[i][is_sample][:, is_dim], cases.labels[i][is_sample], cases.centroids[i][:, is_dim]
        rest = dict(class_weight=cases.weight[i], temperature=cases.temperature[i].item(), distance=distance)
        values.append(dr_loss(*batch, radius[i], **rest, **options))
    return torch.stack(values)


def mean_over_classes(losses, cases):
    """The losses of the classes (N, K), averaged by weight over the classes that have samples: (N,)."""
    present = (cases.labels[:, None] == torch.arange(CLASSES)[:, None]).any(-1)
    return (losses * cases.weight * present).sum(1) / (cases.weight * present).sum(1)


def number_of_classes(cases):
    """Classes with samples, (N,)."""
    return (cases.labels[:, None] == torch.arange(CLASSES)[:, None]).any(-1).sum(1)


@pytest.mark.parametrize('distance', METRIC)
def test_no_centroids_in_the_balls_exceed_sample_scope_with_margin_two(generator, distance):
    cases = random_cases(generator, distance)
    worst, reach = ascend(generator, cases, distance, METRIC[distance], cases.radius)
    worst = mean_over_classes(worst, cases)
    plain = losses_of_the_package(cases, distance, cases.radius, margin=0.0, scope='sample')
    bound = losses_of_the_package(cases, distance, cases.radius, margin=2.0, scope='sample')
    torch.testing.assert_close(plain, mean_over_classes(class_losses(cases.centroids, cases, distance), cases))
    assert reach <= 1 + 1e-9
    # The ascent climbs wherever there is more than one sample; a single one has loss 0 everywhere.
    is_several = (cases.labels >= 0).sum(1) > 1
    assert (worst > plain + 1e-4)[is_several].double().mean() > 0.99
    assert (bound - worst).min() >= -1e-9


@pytest.mark.parametrize('margin', [1.0, 2.0])
@pytest.mark.parametrize('distance', METRIC)
def test_class_scope_is_exceeded_in_batches_of_several_classes(generator, distance, margin):
    # Where the other classes are far, each class is alone in its softmax and its margin cancels.
    cases = random_cases(generator, distance)
    centre = torch.gather(cases.centroids, 1, cases.labels.clamp(min=0)[..., None].expand(-1, -1, DIM))
    cases = cases._replace(features=cases.features + 8 * centre, centroids=8 * cases.centroids)
    if METRIC[distance] == 'chord':
        cases = cases._replace(centroids=direction(cases.centroids))
    worst, _ = ascend(generator, cases, distance, METRIC[distance], cases.radius)
    value = losses_of_the_package(cases, distance, cases.radius, margin=margin, scope='class')
    is_exceeded = mean_over_classes(worst, cases) > value + 1e-3
    assert is_exceeded[number_of_classes(cases) > 1].any()


def test_margin_two_is_exceeded_by_squared_distances(generator):
    # |z - mu'|^2 changes by up to 2 eps |z - mu| + eps^2, without a limit: samples far away break any margin.
    cases = random_cases(generator, 'euclidean')
    worst, _ = ascend(generator, cases, 'squared', 'euclidean', cases.radius)
    bound = losses_of_the_package(cases, 'squared', cases.radius, margin=2.0, scope='sample')
    assert (mean_over_classes(worst, cases) > bound + 0.1).any()


def test_margin_two_is_exceeded_by_cosine_if_one_minus_cosine_measures_the_ball(generator):
    # 1 - cos(mu', mu) = eps is a chord of sqrt(2 eps), far more than eps for small radii.
    cases = random_cases(generator, 'cosine')
    radius = cases.radius / 20
    worst, _ = ascend(generator, cases, 'cosine', 'chord', (2 * radius).sqrt())
    bound = losses_of_the_package(cases, 'cosine', radius, margin=2.0, scope='sample')
    assert (mean_over_classes(worst, cases) > bound + 0.1).any()
