"""Radius policies: their formulas, and what holds for every one of them."""

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch.testing import assert_close

from mmdrl.errors import ConfigError
from mmdrl.models import (
    ClassStatistics,
    CountRadius,
    DRLoss,
    LearnedRadius,
    MeasuredRadius,
    RadiusPolicy,
    SharedRadius,
)
from mmdrl.registry import MODELS

COUNTS = torch.tensor([100, 25, 4, 1])
SPREADS = torch.tensor([2.0, torch.nan, 0.0, 0.0])
STATISTICS = ClassStatistics(COUNTS, SPREADS)
POLICIES = RadiusPolicy.__subclasses__()


@pytest.mark.parametrize('policy_class', POLICIES)
def test_every_policy_gives_one_finite_radius_per_class_not_negative(
    policy_class: type[RadiusPolicy],
) -> None:
    radius = policy_class(num_classes=4)(STATISTICS)
    assert radius.shape == (4,)
    assert radius.isfinite().all()
    assert (radius >= 0).all()
    assert radius.dtype == torch.float32


@pytest.mark.parametrize('policy_class', POLICIES)
def test_no_policy_reads_the_device(policy_class: type[RadiusPolicy]) -> None:
    with torch.device('meta'):
        radius = policy_class(num_classes=4)(ClassStatistics(torch.ones(4).long(), torch.ones(4)))
    assert radius.shape == (4,)


def test_shared_radius_is_its_value_everywhere() -> None:
    assert_close(SharedRadius(4, value=0.7)(STATISTICS), torch.full((4,), 0.7))


def test_count_radius_falls_with_the_root_of_the_class_size() -> None:
    assert_close(CountRadius(4, scale=2.0)(STATISTICS), torch.tensor([0.2, 0.4, 1.0, 2.0]))


def measured(counts: list[int], spreads: list[float], **settings: float) -> np.ndarray:
    statistics = ClassStatistics(torch.tensor(counts), torch.tensor(spreads))
    return MeasuredRadius(len(counts), **settings)(statistics).numpy()


def test_measured_radius_without_prior_is_the_standard_error_of_the_mean(rng: np.random.Generator) -> None:
    """Oracle: NumPy's unbiased covariance; its trace over n is the expected squared error of the mean."""
    sizes, expected, spreads = [50, 7, 2], [], []
    for scale, size in enumerate(sizes, start=1):
        samples = rng.normal(size=(size, 5)) * scale
        expected.append(np.sqrt(np.trace(np.cov(samples.T)) / size))
        spreads.append(np.sqrt(((samples - samples.mean(axis=0)) ** 2).sum(axis=1).mean()))
    np.testing.assert_allclose(measured(sizes, spreads, prior_count=0.0), expected, rtol=1e-5)
    np.testing.assert_allclose(measured(sizes, spreads, prior_count=0.0, scale=3.0), 3 * np.array(expected), rtol=1e-5)


def test_measured_radius_shrinks_towards_the_pooled_spread() -> None:
    """By hand: sums of squares 10 * 4 and 3 * 1, so pooled 43 / (9 + 2); a class of one image has that alone."""
    pooled = 43 / 11
    expected = [(40 + 2 * pooled) / (9 + 2) / 10, (3 + 2 * pooled) / (2 + 2) / 3, pooled, pooled / 6]
    found = measured([10, 3, 1, 6], [2.0, 1.0, 0.5, float('nan')], prior_count=2.0)
    np.testing.assert_allclose(found, np.sqrt(expected), rtol=1e-6)


def test_measured_radius_of_an_unmeasured_class_does_not_touch_the_others() -> None:
    alone = measured([10, 3], [2.0, 1.0])
    np.testing.assert_array_equal(measured([10, 3, 99], [2.0, 1.0, float('nan')])[:2], alone)


def test_measured_radius_is_that_of_the_pool_under_an_overwhelming_prior() -> None:
    found = measured([10, 3], [2.0, 1.0], prior_count=1e9)
    np.testing.assert_allclose(found, np.sqrt([43 / 11 / 10, 43 / 11 / 3]), rtol=1e-5)


@pytest.mark.parametrize('prior_count', [0.0, 2.0])
def test_measured_radius_before_any_measurement_is_zero(prior_count: float) -> None:
    assert not measured([10, 1], [float('nan')] * 2, prior_count=prior_count).any()


@pytest.mark.parametrize('prior_count', [0.0, 2.0])
def test_classes_of_one_image_alone_have_the_spread_of_their_draws(prior_count: float) -> None:
    np.testing.assert_allclose(measured([1, 1], [3.0, 1.0], prior_count=prior_count), [5**0.5] * 2, rtol=1e-6)
    assert not measured([1, 1], [0.0, 0.0], prior_count=prior_count).any()  # every image is its class's centroid


def test_measured_radius_without_spreads_says_where_to_take_them() -> None:
    with pytest.raises(ConfigError, match=r'spreads.*DRHead\.statistics'):
        MeasuredRadius(4)(ClassStatistics(COUNTS))


@pytest.mark.parametrize('init', [1e-3, 1.0, 50.0])
def test_learned_radius_starts_where_it_is_told(init: float) -> None:
    assert_close(LearnedRadius(4, init=init)(STATISTICS), torch.full((4,), init))


def test_learned_radius_stays_non_negative_however_far_it_is_pushed() -> None:
    policy = LearnedRadius(4)
    optimizer = torch.optim.SGD(policy.parameters(), lr=10.0)
    for _ in range(50):
        optimizer.zero_grad()
        policy(STATISTICS).sum().backward()
        optimizer.step()
    radius = policy(STATISTICS)
    assert (radius >= 0).all()
    assert (radius < 0.01).all()  # its floor is 0, and descent goes there


def test_learned_radius_is_in_the_state_dict() -> None:
    assert list(LearnedRadius(4).state_dict()) == ['raw']


def test_learned_radii_of_all_layers_get_the_rate_and_decay_that_the_config_gives_them() -> None:
    head = MODELS.build(
        dict(
            type='mmdrl.DRHead',
            num_classes=3,
            in_channels=4,
            dr_layers=(-2, -1),
            dr_channels=(5, 4),
            dr_loss=dict(type='mmdrl.DRLoss', radius=dict(type='mmdrl.LearnedRadius')),
        )
    )
    own = dict(custom_keys={'dr_loss.radius': dict(lr_mult=0.1, decay_mult=0.0)})
    wrapper = build_optim_wrapper(
        torch.nn.ModuleDict(dict(head=head)),
        dict(optimizer=dict(type='SGD', lr=0.5, weight_decay=0.01), paramwise_cfg=own),
    )
    found = {id(p): (group['lr'], group['weight_decay']) for group in wrapper.param_groups for p in group['params']}
    radii = [layer.dr_loss.radius.raw for layer in head.dr_layers]
    assert [found[id(raw)] for raw in radii] == [(pytest.approx(0.05), 0.0)] * 2
    assert found[id(head.fc.weight)] == (0.5, 0.01)
    assert {f'dr_layers.{layer}.dr_loss.radius.raw' for layer in (0, 1)} <= set(head.state_dict())


@pytest.mark.parametrize(
    ('policy_class', 'settings'),
    [
        (SharedRadius, dict(value=-1.0)),
        (CountRadius, dict(scale=float('nan'))),
        (LearnedRadius, dict(init=0.0)),
        (MeasuredRadius, dict(scale=-2.0)),
        (MeasuredRadius, dict(prior_count=float('inf'))),
    ],
)
def test_impossible_radius_is_refused_with_its_value(policy_class: type[RadiusPolicy], settings: dict) -> None:
    with pytest.raises(ConfigError, match=str(next(iter(settings.values())))):
        policy_class(4, **settings)


@pytest.mark.parametrize('value', [-0.5, float('nan')])
def test_policy_whose_radii_are_impossible_is_refused_when_the_loss_is_built(value: float) -> None:
    class Odd(RadiusPolicy):
        def forward(self, statistics: ClassStatistics) -> torch.Tensor:
            return torch.full((self.num_classes,), value)

    with pytest.raises(ConfigError, match=f'Odd.*{value}'):
        DRLoss(3, radius=dict(type=Odd))
