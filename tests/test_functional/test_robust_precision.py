"""float32 against float64 where differences of large numbers matter: tight clusters, far apart and far away.

The scenes are rounded to float32 first, and both sides get the rounded numbers: only the arithmetic differs.
"""

import itertools

import pytest
import torch
from cases import (
    SCENES,
    cast,
    close,
    direct_loss,
    every_distance,
    every_scope,
    loop,
    relative_errors,
    scene,
    value_and_gradients,
)

from mmdrl.functional import dr_loss


@every_scope
@every_distance
@pytest.mark.parametrize('name', SCENES)
def test_float32_equals_float64(rng, scope, distance, name):
    for batch, temperature in itertools.product((2, 26, 64), (0.07, 1.0, 100.0)):
        tensors, options = scene(rng, name, batch), dict(scope=scope, distance=distance, temperature=temperature)
        value, *gradients = relative_errors(dr_loss, tensors, **options)
        assert value <= 1e-4, (batch, temperature)
        assert max(gradients) <= 1e-3, (batch, temperature)


@every_distance
@pytest.mark.parametrize('name', ['wide', 'offset 30 loose', 'twins', 'two places'])
def test_float32_equals_float64_in_2048_dimensions(rng, distance, name):
    tensors = scene(rng, name, 32, dim=2048)
    value, *gradients = relative_errors(dr_loss, tensors, scope='sample', distance=distance)
    assert value <= 1e-4
    assert max(gradients) <= 1e-3


@every_scope
@every_distance
@pytest.mark.parametrize('name', SCENES)
def test_the_double_loop_agrees_with_the_float64_oracle_on_the_scenes(rng, scope, distance, name):
    # Guards the oracle of this file, not the package.
    tensors, options = scene(rng, name, 12), dict(scope=scope, distance=distance)
    close(direct_loss(*tensors, **options), loop(*tensors, **options), atol=1e-9)


@every_distance
@pytest.mark.parametrize('name', SCENES)
def test_float64_keeps_its_digits(rng, distance, name):
    tensors, options = cast(scene(rng, name, 40), torch.float64), dict(distance=distance, scope='sample')
    found = value_and_gradients(dr_loss, *tensors, **options)
    expected = value_and_gradients(direct_loss, *tensors, **options)
    assert [x.dtype for x in found] == [torch.float64] * 3
    close(found[0], expected[0].item(), atol=1e-11)
    # Of distances of 0.01 at 100 from the centre, products of float64 keep 8 digits.
    for is_, should_be in zip(found[1:], expected[1:], strict=True):
        assert (is_ - should_be).norm() <= 1e-7 * should_be.norm() + 1e-12
