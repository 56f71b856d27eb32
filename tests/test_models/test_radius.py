"""Radius policies: their formulas, and what holds for every one of them."""

import pytest
import torch
from torch.testing import assert_close

from mmdrl.errors import ConfigError
from mmdrl.models import ClassStatistics, CountRadius, LearnedRadius, RadiusPolicy, SharedRadius

COUNTS = torch.tensor([100, 25, 4, 1])
POLICIES = RadiusPolicy.__subclasses__()


@pytest.mark.parametrize('policy_class', POLICIES)
def test_every_policy_gives_one_finite_radius_per_class_not_negative(
    policy_class: type[RadiusPolicy],
) -> None:
    radius = policy_class(num_classes=4)(ClassStatistics(COUNTS))
    assert radius.shape == (4,)
    assert radius.isfinite().all()
    assert (radius >= 0).all()
    assert radius.dtype == torch.float32


def test_shared_radius_is_its_value_everywhere() -> None:
    assert_close(SharedRadius(4, value=0.7)(ClassStatistics(COUNTS)), torch.full((4,), 0.7))


def test_count_radius_falls_with_the_root_of_the_class_size() -> None:
    assert_close(CountRadius(4, scale=2.0)(ClassStatistics(COUNTS)), torch.tensor([0.2, 0.4, 1.0, 2.0]))


@pytest.mark.parametrize('init', [1e-3, 1.0, 50.0])
def test_learned_radius_starts_where_it_is_told(init: float) -> None:
    assert_close(LearnedRadius(4, init=init)(ClassStatistics(COUNTS)), torch.full((4,), init))


def test_learned_radius_stays_non_negative_however_far_it_is_pushed() -> None:
    policy = LearnedRadius(4)
    optimizer = torch.optim.SGD(policy.parameters(), lr=10.0)
    for _ in range(50):
        optimizer.zero_grad()
        policy(ClassStatistics(COUNTS)).sum().backward()
        optimizer.step()
    radius = policy(ClassStatistics(COUNTS))
    assert (radius >= 0).all()
    assert (radius < 0.01).all()  # its floor is 0, and descent goes there


def test_learned_radius_is_in_the_state_dict() -> None:
    assert list(LearnedRadius(4).state_dict()) == ['raw']


@pytest.mark.parametrize(
    ('policy_class', 'settings'),
    [
        (SharedRadius, dict(value=-1.0)),
        (CountRadius, dict(scale=float('nan'))),
        (LearnedRadius, dict(init=0.0)),
    ],
)
def test_impossible_radius_is_refused_with_its_value(policy_class: type[RadiusPolicy], settings: dict) -> None:
    with pytest.raises(ConfigError, match=str(next(iter(settings.values())))):
        policy_class(4, **settings)
