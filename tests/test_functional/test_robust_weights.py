"""Class weights of the robust loss: only their ratios among the classes present count."""

import pytest
import torch
from cases import close, direct_loss, every_distance, every_scope, make_batch, value_and_gradients
from torch.testing import assert_close

from mmdrl.functional import dr_loss


@every_scope
@every_distance
def test_class_weights_are_relative(rng, scope, distance):
    batch, options = make_batch(rng), dict(scope=scope, distance=distance)
    weight = torch.from_numpy(rng.uniform(0.1, 3.0, size=5))
    value = dr_loss(*batch, class_weight=weight, **options).item()
    close(dr_loss(*batch, class_weight=10 * weight, **options), value, atol=1e-12)
    close(dr_loss(*batch, class_weight=torch.ones(5).double(), **options), dr_loss(*batch, **options).item())


@every_scope
def test_weight_of_an_absent_class_is_not_part_of_the_mean(rng, scope):
    batch = make_batch(rng, present=[0, 1, 3])
    weight = torch.tensor([1.0, 2.0, 5.0, 3.0, 7.0])
    value = dr_loss(*batch, class_weight=weight, scope=scope).item()
    weight[[2, 4]] = 0.0
    close(dr_loss(*batch, class_weight=weight, scope=scope), value, atol=1e-12)


@every_scope
def test_loss_is_the_weighted_mean_of_the_losses_of_the_classes(rng, scope):
    batch = make_batch(rng, num_classes=3)
    alone = torch.stack([dr_loss(*batch, class_weight=torch.eye(3)[c], scope=scope) for c in range(3)])
    weight = torch.tensor([1.0, 4.0, 0.5]).double()
    close(dr_loss(*batch, class_weight=weight, scope=scope), (alone * weight).sum().item() / 5.5)


@every_scope
@every_distance
def test_class_without_weight_only_competes(rng, scope, distance):
    # Its own pairs get no gradient, but its samples stay in the softmax of the other classes.
    features, labels, centroids, radius = make_batch(rng, num_classes=3)
    weight = torch.tensor([1.0, 0.0, 2.0]).double()
    options = dict(scope=scope, distance=distance, class_weight=weight)
    found = value_and_gradients(dr_loss, features, labels, centroids, radius, **options)
    assert_close(found, value_and_gradients(direct_loss, features, labels, centroids, radius, **options))
    assert found[2][1] == 0
    assert found[1][labels == 1].abs().min() > 0


@every_scope
@every_distance
def test_zero_weights_of_the_present_classes_give_a_zero_loss_that_can_be_differentiated(rng, scope, distance):
    features, labels, centroids, radius = make_batch(rng, present=[0, 1])
    weight = torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    options = dict(scope=scope, distance=distance, class_weight=weight)
    value, *gradients = value_and_gradients(dr_loss, features, labels, centroids, radius, **options)
    assert value.item() == 0.0
    assert [g.abs().max().item() for g in gradients] == [0.0, 0.0]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_class_weights_of_any_precision_are_taken(rng, dtype):
    features, labels, centroids, radius = make_batch(rng)
    weight = torch.tensor([0.5, 1.0, 2.0, 4.0, 0.25])  # exact in every precision
    value = dr_loss(features, labels, centroids, radius, class_weight=weight.to(dtype))
    close(value, dr_loss(features, labels, centroids, radius, class_weight=weight.double()).item(), atol=1e-12)


def test_tiny_and_huge_weights_keep_their_ratio(rng):
    # Effective-number weights of large classes are near 1e-4, relative ones of rare classes near 1e-6.
    batch, weight = make_batch(rng), torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    value = dr_loss(*batch, class_weight=weight).item()
    for scale in (1e-30, 1e30):
        close(dr_loss(*batch, class_weight=scale * weight), value, atol=1e-6)
