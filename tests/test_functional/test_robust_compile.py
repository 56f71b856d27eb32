"""The robust loss compiled, and on tensors without values: nothing is read back, no shape depends on a value."""

import itertools
import os
import shutil

import pytest
import torch
from cases import (
    SCENES,
    cast,
    direct_loss,
    every_distance,
    every_scope,
    make_batch,
    relative_errors,
    scene,
    value_and_gradients,
)
from torch.testing import assert_close

from mmdrl.functional import dr_loss

CXX = os.environ.get('CXX', 'c++')


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def compare_to_eager(compiled, rng, batch=12, is_weighted=True, **options):
    """Value and gradients of ``compiled`` and of ``dr_loss``."""
    tensors = cast(make_batch(rng, batch=batch))
    tensors[3][tensors[1][0]] = 0  # no radius is a radius, too
    if is_weighted:
        options['class_weight'] = torch.from_numpy(rng.uniform(0.1, 3.0, size=5)).float()
    found = value_and_gradients(compiled, *tensors, **options)
    assert_close(found, value_and_gradients(dr_loss, *tensors, **options), rtol=1e-5, atol=1e-6)


@every_scope
@every_distance
def test_compiled_loss_equals_eager(rng, scope, distance):
    compiled = torch.compile(dr_loss, backend='aot_eager', fullgraph=True)
    compare_to_eager(compiled, rng, scope=scope, distance=distance)


def test_compiled_loss_follows_the_size_of_the_batch(rng):
    compiled = torch.compile(dr_loss, backend='aot_eager', fullgraph=True)
    for batch in (12, 30, 31):
        compare_to_eager(compiled, rng, batch=batch, is_weighted=False)


@every_distance
def test_compiled_loss_keeps_the_digits_of_close_pairs(rng, distance):
    # Nothing may depend on values there, as on an accelerator, so close pairs cannot be picked out.
    compiled = torch.compile(dr_loss, backend='aot_eager', fullgraph=True)
    for name in SCENES:
        tensors = scene(rng, name, 30)
        assert max(relative_errors(compiled, tensors, distance=distance)) <= 1e-3, name
        tensors[0][0] = tensors[2][tensors[1][0]]  # a sample on its centroid is not pushed by rounding
        _, found, _ = value_and_gradients(compiled, *tensors, distance=distance)
        _, expected, _ = value_and_gradients(direct_loss, *cast(tensors, torch.float64), distance=distance)
        assert (found - expected).norm(dim=1).max() <= 1e-3 * expected.norm(dim=1).max(), name


@pytest.mark.slow
@pytest.mark.skipif(shutil.which(CXX) is None, reason='the inductor backend needs a C++ compiler')
@every_distance
def test_loss_compiled_to_machine_code_equals_eager(rng, distance):
    compiled = torch.compile(dr_loss, fullgraph=True)
    compare_to_eager(compiled, rng, scope='sample', distance=distance)


@every_scope
@every_distance
def test_tensors_off_the_cpu_are_not_read_back(scope, distance):
    # A meta tensor has no values, so every read that would make an accelerator wait raises here.
    labels, centroids = torch.empty(6, dtype=torch.long, device='meta'), torch.empty(3, 4, device='meta')
    for weight, dtype in itertools.product((torch.empty(3, device='meta'), None), (torch.float32, torch.bfloat16)):
        features = torch.empty(6, 4, device='meta', dtype=dtype, requires_grad=True)
        radius = torch.empty(3, device='meta', requires_grad=True)
        value = dr_loss(features, labels, centroids, radius, scope=scope, distance=distance, class_weight=weight)
        assert (value.shape, value.dtype) == ((), torch.float32)
        value.backward()
        assert (features.grad.shape, features.grad.dtype) == (features.shape, dtype)
        assert radius.grad.shape == radius.shape
