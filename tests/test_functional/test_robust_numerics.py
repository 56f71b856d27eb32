"""Gradients, large and zero distances, tight clusters and half precision."""

import math

import pytest
import torch
from cases import every_distance, every_scope, loop, make_batch
from torch.testing import assert_close

from mmdrl.functional import dr_loss


@every_scope
@every_distance
def test_gradcheck(rng, scope, distance):
    features, labels, centroids, radius = make_batch(rng, batch=6, num_classes=3, dim=3)
    weight = torch.from_numpy(rng.uniform(0.1, 3.0, size=3))

    def loss(z, eps):
        options = dict(scope=scope, distance=distance, temperature=0.7, margin=1.3, class_weight=weight)
        return dr_loss(z, labels, centroids, eps, **options)

    assert torch.autograd.gradcheck(loss, (features.requires_grad_(), radius.requires_grad_()))


@every_scope
@pytest.mark.parametrize(('scale', 'temperature'), [(1e4, 1.0), (1e3, 0.07), (1e4, 0.07)])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_large_distances_stay_finite_and_right(rng, scope, scale, temperature, dtype):
    features, labels, centroids, radius = (
        x.to(dtype) if x.is_floating_point() else x for x in make_batch(rng, batch=32)
    )
    features, centroids = scale * features, scale * centroids
    features.requires_grad_()
    radius.requires_grad_()
    value = dr_loss(features, labels, centroids, radius, scope=scope, temperature=temperature)
    value.backward()
    expected = loop(features.detach(), labels, centroids, radius.detach(), scope=scope, temperature=temperature)
    assert value.item() == pytest.approx(expected, rel=1e-5)
    assert features.grad.isfinite().all()
    assert radius.grad.isfinite().all()


@every_scope
@every_distance
@pytest.mark.parametrize('batch', [8, 40])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_sample_on_its_centroid_has_a_finite_gradient(rng, scope, distance, batch, dtype):
    features, labels, centroids, radius = make_batch(rng, batch=batch, num_classes=30)
    features, centroids, radius = features.to(dtype), centroids.to(dtype), radius.to(dtype)
    features[0] = centroids[labels[0]]
    features[1] = features[0]
    features.requires_grad_()
    dr_loss(features, labels, centroids, radius, scope=scope, distance=distance).backward()
    assert features.grad.isfinite().all()
    assert features.grad.abs().max() < 10  # d log P / dz is at most 2 / T for the Euclidean distance


@every_scope
def test_all_samples_on_one_centroid(scope):
    # Every distance is 0, so P = 1 / B before the margin; class scope cancels the margin.
    features = torch.full((4, 3), 2.0, requires_grad=True)
    value = dr_loss(features, torch.zeros(4).long(), torch.full((1, 3), 2.0), torch.tensor([1.0]), scope=scope)
    assert value.item() == pytest.approx(math.log(4) if scope == 'class' else math.log(1 + 3 * math.e), abs=1e-6)
    value.backward()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize('offset', [30.0, 300.0])
def test_float32_keeps_tight_clusters_far_from_the_origin(rng, offset):
    # Matrix-product distances lose 1e-2 and more here. float32 itself keeps 7 digits of the offset.
    features, labels, centroids, radius = make_batch(rng, batch=64, num_classes=40, dim=16)
    features, centroids = (0.05 * features + offset).float(), (0.05 * centroids + offset).float()
    options = dict(temperature=0.07, distance='euclidean')
    value = dr_loss(features, labels, centroids, radius.float(), **options)
    assert value.item() == pytest.approx(loop(features, labels, centroids, radius.float(), **options), rel=1e-4)


@every_scope
@every_distance
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('is_all_half', [True, False])
def test_half_precision_input_is_computed_in_float32(rng, scope, distance, dtype, is_all_half):
    features, labels, centroids, radius = make_batch(rng, batch=40, num_classes=30, dim=16)
    features = (4 * features).to(dtype)
    centroids, radius = (x.to(dtype) if is_all_half else x.float() for x in (4 * centroids, radius))
    options = dict(scope=scope, distance=distance, temperature=0.2)
    value = dr_loss(features, labels, centroids, radius, **options)
    expected = dr_loss(features.float(), labels, centroids.float(), radius.float(), **options)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected.item(), rel=1e-3)
    assert value.item() == pytest.approx(loop(features, labels, centroids, radius, **options), rel=1e-3)


@every_distance
def test_autocast_does_not_lower_the_precision(rng, distance):
    batch = [x.float() if x.is_floating_point() else x for x in make_batch(rng, batch=40, num_classes=30, dim=16)]
    expected = dr_loss(*batch, distance=distance, temperature=0.2)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        value = dr_loss(*batch, distance=distance, temperature=0.2)
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)


def test_half_precision_features_get_half_precision_gradients(rng):
    features, labels, centroids, radius = make_batch(rng)
    features = features.bfloat16().requires_grad_()
    dr_loss(features, labels, centroids.float(), radius.float()).backward()
    wide = features.detach().float().requires_grad_()
    dr_loss(wide, labels, centroids.float(), radius.float()).backward()
    assert features.grad.dtype == torch.bfloat16
    assert_close(features.grad.float(), wide.grad, rtol=1e-2, atol=1e-3)


@every_scope
@every_distance
def test_tensors_off_the_cpu_are_not_read_back(scope, distance):
    # A meta tensor has no values, so every read that would make an accelerator wait raises here.
    features, radius = torch.empty(6, 4, device='meta'), torch.empty(3, device='meta')
    labels, weight = torch.empty(6, dtype=torch.long, device='meta'), torch.empty(3, device='meta')
    centroids = torch.empty(3, 4, device='meta')
    value = dr_loss(features, labels, centroids, radius, scope=scope, distance=distance, class_weight=weight)
    assert value.shape == ()
