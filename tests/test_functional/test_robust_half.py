"""Half precision, autocast and coarse matrix products must not reach the arithmetic of the robust loss."""

import pytest
import torch
from cases import cast, direct_loss, every_distance, every_scope, loop, make_batch, relative_errors, value_and_gradients
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from mmdrl.functional import dr_loss

every_half = pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
aten = torch.ops.aten
PRODUCTS = (aten.mm, aten.bmm, aten.addmm, aten.addmm_, aten.baddbmm, aten.baddbmm_)


def large_batch(rng):
    """40 samples of 30 classes in 16 dimensions, at distances near 20: more than 25 rows, and no tiny numbers."""
    features, labels, centroids, radius = make_batch(rng, batch=40, num_classes=30, dim=16)
    return 4 * features, labels, 4 * centroids, radius


@every_scope
@every_distance
@every_half
@pytest.mark.parametrize('is_all_half', [True, False])
def test_half_precision_input_is_computed_in_float32(rng, scope, distance, dtype, is_all_half):
    features, labels, centroids, radius = large_batch(rng)
    features = features.to(dtype)
    centroids, radius = (x.to(dtype) if is_all_half else x.float() for x in (centroids, radius))
    options = dict(scope=scope, distance=distance, temperature=0.2)
    value = dr_loss(features, labels, centroids, radius, **options)
    expected = dr_loss(features.float(), labels, centroids.float(), radius.float(), **options)
    assert value.dtype == torch.float32
    assert_close(value, expected, rtol=1e-6, atol=1e-6)
    assert value.item() == pytest.approx(loop(features, labels, centroids, radius, **options), rel=1e-4)


@every_half
def test_squared_distances_beyond_the_range_of_float16_are_right(rng, dtype):
    # Squared distances near 16 * 400^2 are 40 times the largest float16.
    features, labels, centroids, radius = cast(make_batch(rng, batch=40, num_classes=30, dim=16), dtype)
    batch = 400 * features, labels, 400 * centroids, radius
    for distance in ('euclidean', 'squared'):
        assert dr_loss(*batch, distance=distance).item() == pytest.approx(loop(*batch, distance=distance), rel=1e-4)


@every_scope
@every_distance
@every_half
def test_half_precision_features_get_half_precision_gradients(rng, scope, distance, dtype):
    features, labels, centroids, radius = large_batch(rng)
    batch = features.to(dtype), labels, centroids.float(), radius.to(dtype)
    _, *found = value_and_gradients(dr_loss, *batch, scope=scope, distance=distance)
    wide = [x.double() if x.is_floating_point() else x for x in batch]
    _, *expected = value_and_gradients(direct_loss, *wide, scope=scope, distance=distance)
    digit = torch.finfo(dtype).eps
    for half, full in zip(found, expected, strict=True):
        assert half.dtype == dtype
        assert_close(half.double(), full, rtol=digit, atol=digit * full.abs().max().item())


@every_scope
@every_distance
@pytest.mark.parametrize('is_inside', [True, False])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_autocast_changes_neither_value_nor_gradients(rng, scope, distance, is_inside, dtype):
    features, labels, centroids, radius = cast(large_batch(rng))
    batch = features.to(dtype), labels, centroids, radius
    options = dict(scope=scope, distance=distance, temperature=0.5)
    expected = value_and_gradients(dr_loss, *batch, **options)
    inputs = [x.detach().requires_grad_() for x in (batch[0], radius)]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        value = dr_loss(inputs[0], labels, centroids, inputs[1], **options)
        if is_inside:
            value.backward()
    if not is_inside:
        value.backward()
    assert value.dtype == torch.float32
    assert_close(value.detach(), expected[0], rtol=1e-6, atol=1e-6)
    # A last digit may flip when a gradient is rounded to half precision.
    assert_close(inputs[0].grad, expected[1], rtol=max(1e-5, torch.finfo(dtype).eps), atol=1e-6)
    assert_close(inputs[1].grad, expected[2], rtol=1e-5, atol=1e-6)


class CoarseProducts(TorchDispatchMode):
    """Matrix products of float32 with the operands that ``torch.set_float32_matmul_precision`` allows.

    A processor without such units ignores the setting; rounding the operands shows what those with them do:
    'high' keeps 10 bits (TensorFloat-32), 'medium' 7 (bfloat16). ``rounded`` counts the products.
    """

    rounded = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        bits = {'highest': 23, 'high': 10, 'medium': 7}[torch.get_float32_matmul_precision()]
        if getattr(func, 'overloadpacket', None) in PRODUCTS and bits < 23 and args[0].dtype == torch.float32:
            self.rounded += 1
            args = [*args[:-2], *(self.keep(x, bits) for x in args[-2:])]
        return func(*args, **(kwargs or {}))

    @staticmethod
    def keep(x, bits):
        cut = 23 - bits
        pattern = x.contiguous().view(torch.int32) + (1 << (cut - 1))
        return (pattern >> cut << cut).view(torch.float32)


@pytest.fixture(params=['high', 'medium'])
def coarse(request):
    """The setting, and processors with such units imitated; both end with the test."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(request.param)
    with CoarseProducts() as mode:
        yield mode
    torch.set_float32_matmul_precision(before)


def test_the_imitation_rounds_products(coarse, generator):
    a = torch.randn(64, 64, generator=generator)
    error = ((a @ a).double() - a.double() @ a.double()).norm() / (a.double() @ a.double()).norm()
    assert coarse.rounded == 1
    assert error > 1e-4


@every_scope
@every_distance
@pytest.mark.parametrize('batch', [8, 40])
def test_coarse_matrix_products_change_neither_value_nor_gradients(rng, coarse, scope, distance, batch):
    # Distances of 12 inside the classes and 36 between them, where the products would lose a digit in the third place.
    features, labels, centroids, radius = make_batch(rng, batch=batch, num_classes=4, dim=16)
    tensors = cast((6 * centroids[labels] + 3 * features, labels, 6 * centroids, radius))
    options = dict(scope=scope, distance=distance, temperature=5.0, margin=2.0)
    assert max(relative_errors(dr_loss, tensors, **options)) <= 1e-3
    assert torch.get_float32_matmul_precision() != 'highest'  # the setting of the user is left as it was


@every_distance
@pytest.mark.parametrize('is_autocast', [True, False])
def test_backward_may_run_where_products_are_coarser_than_in_forward(rng, coarse, distance, is_autocast):
    setting = torch.get_float32_matmul_precision()
    features, labels, centroids, radius = cast(large_batch(rng))
    tensors = features + 4 * centroids[labels], labels, centroids, radius
    z, eps = tensors[0].clone().requires_grad_(), radius.clone().requires_grad_()
    torch.set_float32_matmul_precision('highest')
    value = dr_loss(z, labels, centroids, eps, distance=distance, temperature=5.0)
    torch.set_float32_matmul_precision(setting)
    with torch.autocast('cpu', dtype=torch.bfloat16, enabled=is_autocast):
        value.backward()
    wide = cast(tensors, torch.float64)
    _, *expected = value_and_gradients(direct_loss, *wide, distance=distance, temperature=5.0)
    for is_, should_be in zip((z.grad, eps.grad), expected, strict=True):
        assert (is_ - should_be).norm() <= 1e-5 * should_be.norm()
