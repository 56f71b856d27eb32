"""What the loss does not control: torch's precision settings, second derivatives, devices that may not be looked at."""

import subprocess
import sys

import pytest
import torch
from cases import every_distance, every_scope, make_batch

from mmdrl.functional import dr_loss

SETTINGS = [
    "backends.cuda.matmul.fp32_precision = 'tf32'",
    "backends.mkldnn.matmul.fp32_precision = 'bf16'",
    "backends.fp32_precision = 'tf32'",
    'backends.cuda.matmul.allow_tf32 = True',
    "set_float32_matmul_precision('medium')",
]
PROGRAM = """
import torch
from mmdrl.functional import dr_loss
generator = torch.Generator().manual_seed(0)
z, mu = torch.randn(64, 512, generator=generator), torch.randn(9, 512, generator=generator)
y, radius = torch.arange(64) % 9, torch.ones(9)
exact = dr_loss(z.double(), y, mu.double(), radius.double(), scope='sample').item()
torch.{setting}
z.requires_grad_()
value = dr_loss(z, y, mu, radius, scope='sample')
value.backward()
assert abs(value.item() / exact - 1) < 1e-5, (value.item(), exact)
assert z.grad.isfinite().all()
"""


@pytest.mark.parametrize('setting', SETTINGS)
def test_precision_settings_of_the_program_change_nothing(setting: str) -> None:
    """In a process of its own: once the newer settings are used, torch refuses to answer for the older ones."""
    if 'fp32_precision' in setting and not hasattr(torch.backends, 'fp32_precision'):
        pytest.skip('this torch has only the older settings')
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', PROGRAM.format(setting=setting)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_second_derivative_is_refused_rather_than_wrong(rng) -> None:
    features, labels, centroids, radius = make_batch(rng)
    weight = torch.eye(4, dtype=torch.float64, requires_grad=True)
    value = dr_loss(features @ weight, labels, centroids, radius)
    with pytest.raises(RuntimeError, match='create_graph'):
        torch.autograd.grad(value, weight, create_graph=True)


def test_backward_can_be_repeated(rng) -> None:
    features, labels, centroids, radius = make_batch(rng, batch=30)
    features[0] = centroids[labels[0]]
    features.requires_grad_()
    value = dr_loss(features, labels, centroids, radius)
    first, second = (torch.autograd.grad(value, features, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_radius_alone_can_be_learned(rng) -> None:
    features, labels, centroids, radius = make_batch(rng)
    alone = radius.clone().requires_grad_()
    dr_loss(features, labels, centroids, alone, scope='sample').backward()
    both = radius.clone().requires_grad_()
    dr_loss(features.requires_grad_(), labels, centroids, both, scope='sample').backward()
    assert torch.equal(alone.grad, both.grad)


@pytest.fixture
def unseen_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of an accelerator, which looks at no value, on tensors that can be looked at afterwards."""
    monkeypatch.setattr('mmdrl.functional.robust.is_static', lambda tensor: True)


@every_scope
@every_distance
def test_value_and_gradients_are_the_same_where_values_are_not_looked_at(
    rng, scope: str, distance: str, request: pytest.FixtureRequest
) -> None:
    found = []
    weight = torch.rand(12)
    batch = [x.float() if x.is_floating_point() else x for x in make_batch(rng, batch=40, num_classes=12, dim=8)]
    for way in ('looking', 'unseen_values'):
        if way != 'looking':
            request.getfixturevalue(way)
        features, labels, centroids, radius = (x.clone() for x in batch)
        features.requires_grad_()
        radius.requires_grad_()
        value = dr_loss(features, labels, centroids, radius, scope=scope, distance=distance, class_weight=weight)
        value.backward()
        found.append((value.detach(), features.grad, radius.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@every_scope
@pytest.mark.parametrize('wrong', [-0.5, float('nan'), float('inf')])
def test_impossible_radius_shows_in_the_value_where_nothing_is_looked_at(rng, unseen_values, scope, wrong) -> None:
    features, labels, centroids, radius = make_batch(rng)
    radius[labels[3]] = wrong
    assert not dr_loss(features, labels, centroids, radius, scope=scope).isfinite()


@every_distance
@pytest.mark.parametrize('gap', [0.0, 1e-41, 1e-30, 1e-20])
def test_feature_next_to_its_centroid_has_a_finite_gradient(rng, unseen_values, distance: str, gap: float) -> None:
    centroids = torch.zeros(2, 3)
    centroids[1] = 1.0
    features = centroids.clone()
    features[0, 0] = gap
    features.requires_grad_()
    dr_loss(features, torch.tensor([0, 1]), centroids, torch.ones(2), distance=distance).backward()
    assert features.grad.isfinite().all()
