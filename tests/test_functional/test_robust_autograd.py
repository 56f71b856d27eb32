"""The robust loss as a part of a larger graph, and outside of one."""

import pytest
import torch
from cases import close, every_distance, every_scope, make_batch, value_and_gradients
from torch.testing import assert_close

from mmdrl.functional import dr_loss


@every_scope
@every_distance
def test_gradcheck(rng, scope, distance):
    features, labels, centroids, radius = make_batch(rng, batch=7, num_classes=4, dim=3)
    weight = torch.from_numpy(rng.uniform(0.1, 3.0, size=4))

    def loss(z, eps):
        options = dict(scope=scope, distance=distance, temperature=0.7, margin=1.3, class_weight=weight)
        return dr_loss(z, labels, centroids, eps, **options)

    assert torch.autograd.gradcheck(loss, (features.requires_grad_(), radius.requires_grad_()))


@every_scope
@every_distance
def test_gradients_go_with_the_weight_of_the_loss(rng, scope, distance):
    # lambda of L_CE + lambda L_robust, the scale of mixed precision, and more than one use of the features.
    batch, options = make_batch(rng), dict(scope=scope, distance=distance)
    value, of_features, of_radius = value_and_gradients(dr_loss, *batch, **options)

    def part_of_a_sum(z, labels, centroids, radius):
        return -2.5 * dr_loss(z, labels, centroids, radius, **options) + z.sum() + 3 * radius.sum()

    found = value_and_gradients(part_of_a_sum, *batch)
    expected = -2.5 * value + batch[0].sum() + 3 * batch[3].sum(), 1 - 2.5 * of_features, 3 - 2.5 * of_radius
    assert_close(found, expected, rtol=1e-12, atol=1e-12)


@every_scope
@every_distance
def test_features_and_radius_need_no_gradient_each(rng, scope, distance):
    features, labels, centroids, radius = make_batch(rng)
    options = dict(scope=scope, distance=distance)
    _, *expected = value_and_gradients(dr_loss, features, labels, centroids, radius, **options)
    for learned, should_be in zip((features, radius), expected, strict=True):
        learned.requires_grad_()
        dr_loss(features, labels, centroids, radius, **options).backward()
        assert_close(learned.grad, should_be, rtol=1e-12, atol=1e-12)
        learned.requires_grad_(False)


@pytest.mark.parametrize('mode', [torch.no_grad, torch.inference_mode])
@every_distance
def test_value_needs_no_graph(rng, mode, distance):
    features, labels, centroids, radius = make_batch(rng)
    expected = dr_loss(features.requires_grad_(), labels, centroids, radius, distance=distance)
    with mode():
        value = dr_loss(features, labels, centroids, radius, distance=distance)
    assert expected.requires_grad
    assert not value.requires_grad
    close(value, expected.item(), atol=1e-12)


@every_scope
@every_distance
def test_gradients_follow_the_layers_below(rng, scope, distance):
    # One step back through a linear layer equals the chain rule by hand.
    features, labels, centroids, radius = make_batch(rng)
    layer = torch.nn.Linear(4, 4, bias=False).double()
    dr_loss(layer(features), labels, centroids, radius, scope=scope, distance=distance).backward()
    with torch.no_grad():
        outputs = layer(features)
    _, of_outputs, _ = value_and_gradients(dr_loss, outputs, labels, centroids, radius, scope=scope, distance=distance)
    assert_close(layer.weight.grad, of_outputs.T @ features, rtol=1e-10, atol=1e-12)


@every_distance
def test_precisions_can_be_mixed(rng, distance):
    # The features decide; centroids and radius come from float64 statistics or half precision buffers.
    features, labels, centroids, radius = make_batch(rng, batch=30)
    centroids, radius = centroids.bfloat16(), radius.half()  # exact in the other types
    expected = dr_loss(features, labels, centroids.double(), radius.double(), distance=distance)
    value = dr_loss(features, labels, centroids, radius, distance=distance)
    assert value.dtype == torch.float64
    close(value, expected.item(), atol=1e-12)
    narrow = dr_loss(features.float(), labels, centroids.double(), radius.double(), distance=distance)
    assert narrow.dtype == torch.float32
    close(narrow, expected.item(), atol=1e-6)
