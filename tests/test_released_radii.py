"""The radius fault of the released code, reproduced: which radius each sample gets, and what loss comes of it."""

import math
import sys

import numpy as np
import pytest
import torch
from command import ROOT
from mmengine.optim import OptimWrapper
from sampler_cases import Rows
from torch.testing import assert_close

from mmdrl.datasets import ClassAwareSampler
from mmdrl.errors import ConfigError
from mmdrl.models import ClassStatistics, DRLoss

sys.path.append(str(ROOT / 'benchmarks'))
from evidence.released_radii import FreeRadius, MisplacedRadiiDRLoss, misplaced_radii

COUNTS = ClassStatistics(torch.tensor([50, 20, 8, 3, 2]))


def faulty_loss_loop(features, labels, centroids, radius, temperature):
    """The loss entry by entry. Entries (class, sample) of own classes are numbered class by class; the k-th takes the
    radius of sample k of the batch, whatever its own sample is.
    """
    classes = sorted(set(labels))
    entries = [(c, j) for c in classes for j in range(len(labels)) if labels[j] == c]
    taken = {entry: radius[labels[k]] for k, entry in enumerate(entries)}
    total = 0.0
    for c in classes:
        exponents = [
            -(math.dist(centroids[c], z) + taken.get((c, j), 0.0)) / temperature for j, z in enumerate(features)
        ]
        log_sum = math.log(sum(math.exp(e) for e in exponents))
        own = [exponents[j] - log_sum for j in range(len(labels)) if labels[j] == c]
        total += -sum(own) / len(own)
    return total / len(classes)


def batch(rng, labels):
    features, centroids = rng.normal(size=(len(labels), 3)), rng.normal(size=(5, 3))
    return torch.tensor(features), torch.tensor(labels), torch.tensor(centroids)


def make(radius, temperature=1.0):
    loss = MisplacedRadiiDRLoss(5, temperature=temperature).double()
    loss.radius.radius.data = torch.tensor(radius, dtype=torch.float64)
    return loss


@pytest.mark.parametrize('labels', [[3, 0, 0, 4, 1, 3, 0], [2, 1, 0], [1, 1, 1, 1], [0, 0, 1, 4]])
@pytest.mark.parametrize('temperature', [1.0, 0.5])
def test_loss_is_that_of_a_loop_over_the_entries(rng, labels, temperature):
    features, targets, centroids = batch(rng, labels)
    radius = [0.4, -0.3, 1.5, 0.0, 2.0]  # free radii may be negative
    loss = make(radius, temperature)(features.float(), targets, centroids.float(), COUNTS)
    expected = faulty_loss_loop(features.tolist(), labels, centroids.tolist(), radius, temperature)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_radii_stay_in_the_order_of_the_batch_while_samples_go_by_class():
    labels, radius = torch.tensor([3, 0, 3, 1]), torch.tensor([10.0, 11, 12, 13])
    # By class: sample 1, 3, 0, 2. They get the radii of samples 0, 1, 2, 3, in this order.
    assert misplaced_radii(labels, radius).tolist() == [13, 13, 11, 10]


def test_it_is_the_dr_loss_where_all_radii_are_equal_or_labels_are_in_order(rng):
    mended = DRLoss(5, radius=dict(type='mmdrl.LearnedRadius', init=0.7))
    features, targets, centroids = (t.float() if t.is_floating_point() else t for t in batch(rng, [4, 2, 2, 0, 4, 1]))
    assert_close(
        make([0.7] * 5).float()(features, targets, centroids, COUNTS), mended(features, targets, centroids, COUNTS)
    )
    radius = torch.tensor([0.4, 0.3, 1.5, 0.1, 2.0])
    mended.radius.raw.data = torch.log(torch.expm1(radius))
    faulty = make(radius.tolist()).float()
    in_order = targets.sort().values
    assert_close(faulty(features, in_order, centroids, COUNTS), mended(features, in_order, centroids, COUNTS))
    assert not torch.isclose(faulty(features, targets, centroids, COUNTS), mended(features, targets, centroids, COUNTS))


def test_close_features_far_from_zero_keep_their_distances(rng):
    """As many rows as a batch of the released protocol has, for which a product of matrices would be taken."""
    labels = torch.arange(32).repeat_interleave(4)
    centroids = 30 + rng.normal(scale=0.01, size=(32, 64))
    features = centroids[labels] + rng.normal(scale=0.001, size=(128, 64))
    features, centroids = torch.tensor(features).float(), torch.tensor(centroids).float()
    loss = MisplacedRadiiDRLoss(32, radius=dict(type=FreeRadius, init=0.0), temperature=0.01)
    counts = ClassStatistics(torch.ones(32).long())
    exact = DRLoss(32, radius=dict(type='mmdrl.SharedRadius', value=0.0), temperature=0.01)
    expected = exact.double()(features.double(), labels, centroids.double(), counts)
    assert float(loss(features, labels, centroids, counts)) == pytest.approx(float(expected), rel=1e-3)


def test_nearly_all_samples_of_a_class_aware_batch_get_the_radius_of_another_class():
    labels = np.repeat(np.arange(100), 8)
    order = list(ClassAwareSampler(Rows(labels), samples_per_class=4, num_samples=128 * 300, seed=0))
    batches = torch.tensor(labels[order]).reshape(300, 128)
    own = torch.arange(100)
    share = torch.stack([misplaced_radii(batch, own) != batch for batch in batches]).double().mean()
    assert float(share) == pytest.approx(1 - 1 / 32, abs=0.01)  # of 32 classes in random order one is in its place


def test_radii_learn_and_may_fall_below_zero(rng):
    features, targets, centroids = (t.float() if t.is_floating_point() else t for t in batch(rng, [4, 2, 2, 0, 4, 1]))
    loss = MisplacedRadiiDRLoss(5, radius=dict(type=FreeRadius, init=0.05))
    wrapper = OptimWrapper(optimizer=torch.optim.SGD(loss.parameters(), lr=1.0))
    wrapper.update_params(loss(features.requires_grad_(), targets, centroids, COUNTS))
    assert features.grad.abs().sum(dim=1).min() > 0
    values = loss.radius(COUNTS)
    assert values[3] == 0.05  # not in the batch
    assert values[[0, 1, 2, 4]].min() < 0


def test_classes_without_centroid_are_left_out(rng):
    features, targets, centroids = batch(rng, [0, 1, 1, 0])
    radius = [0.4, 0.3, 1.5, 0.0, 2.0]
    has_centroid = torch.tensor([True, False, True, True, True])
    value = make(radius)(features.float(), targets, centroids.float(), COUNTS, has_centroid)
    logits = -torch.cdist(centroids[:1], features)[0] - torch.tensor([0.4, 0, 0, 0.3])  # by class: samples 0, 3, 1, 2
    assert float(value) == pytest.approx(-float(logits.log_softmax(0)[[0, 3]].mean()), rel=1e-5)
    assert make(radius)(features.float(), targets, centroids.float(), COUNTS, torch.zeros(5, dtype=bool)) == 0


def test_mistakes_are_told():
    with pytest.raises(ConfigError, match='temperature'):
        MisplacedRadiiDRLoss(5, temperature=0)
    with pytest.raises(ConfigError, match='radii must be finite and not negative'):
        MisplacedRadiiDRLoss(5, radius=dict(type=FreeRadius, init=-1))
