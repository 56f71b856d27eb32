"""Any long tail, sampler and plan of stages: sums, bounds and orders that must hold, or a sentence."""

# ruff: noqa: PT017  either outcome is right, and what an error says is a fact like any other

from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sampler_cases import Rows
from torch.utils.data import BatchSampler

from mmdrl.datasets.samplers import class_sampler
from mmdrl.engine.stages import StagePlan
from mmdrl.errors import ConfigError, DataError
from mmdrl.evaluation import ShotAccuracy
from mmdrl.registry import DATA_SAMPLERS
from mmdrl.stats.profiles import long_tail_counts

pytestmark = pytest.mark.faults
fuzz = settings(deadline=None, derandomize=True, max_examples=150, suppress_health_check=list(HealthCheck))
NUMBER = st.integers(-3, 10**6) | st.floats() | st.just(True)


@fuzz
@given(st.integers(1, 300), st.integers(1, 10**6), st.floats(1, 1e6), st.sampled_from(['exp', 'step', 'pareto']))
def test_long_tail_falls_from_the_largest_class_by_the_ratio(
    num_classes: int, max_count: int, ratio: float, profile: Any
) -> None:
    try:
        counts = long_tail_counts(num_classes, max_count, ratio, profile)
    except ValueError as error:
        assert max_count / ratio < 1
        assert 'max_count of at least' in str(error)
        return
    assert counts.shape == (num_classes,)
    assert counts[0] == max_count
    assert (np.diff(counts) <= 0).all()
    assert counts[-1] >= 1
    assert num_classes <= counts.sum() <= num_classes * max_count
    if num_classes > 1:
        smallest = max_count / ratio
        assert smallest * (1 - 1e-9) - 1 < counts[-1] <= smallest * (1 + 1e-9)
    assert len(set(counts.tolist())) <= 2 or profile != 'step'


@fuzz
@given(NUMBER, NUMBER, NUMBER)
def test_numbers_of_a_long_tail_are_taken_or_refused(num_classes: Any, max_count: Any, ratio: Any) -> None:
    assume(not isinstance(num_classes, float) and num_classes < 1000 and not isinstance(max_count, float))
    try:
        counts = long_tail_counts(num_classes, max_count, ratio)
    except ValueError as error:
        assert 'at least' in str(error)
        return
    assert counts.min() >= 1


LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=40)
SAMPLERS = st.one_of(
    st.fixed_dictionaries(dict(type=st.just('mmdrl.ClassAwareSampler'), samples_per_class=st.integers(1, 6))),
    st.fixed_dictionaries(dict(type=st.just('mmdrl.PowerSampler'), power=st.floats(0, 3))),
    st.fixed_dictionaries(dict(type=st.just('mmdrl.EffectiveNumberSampler'), beta=st.floats(0, 0.99999))),
    st.fixed_dictionaries(dict(type=st.just('mmdrl.ProgressiveSampler'), num_epochs=st.integers(1, 9))),
    st.fixed_dictionaries(
        dict(
            type=st.just('mmdrl.BatchBalancedSampler'),
            classes_per_batch=st.integers(1, 4),
            samples_per_class=st.integers(1, 3),
        )
    ),
)


@fuzz
@given(LABELS, SAMPLERS, st.integers(1, 5), st.none() | st.integers(1, 90) | st.just('images'), st.integers(0, 2**32))
def test_processes_share_one_valid_order_that_can_be_drawn_again(
    labels: list, config: dict, world_size: int, num_samples: Any, seed: int
) -> None:
    def of(rank: int, size: int) -> Any:
        with mock.patch.object(class_sampler, 'get_dist_info', return_value=(rank, size)):
            return DATA_SAMPLERS.build(dict(config, dataset=Rows(labels), num_samples=num_samples, seed=seed))

    try:
        whole, parts = of(0, 1), [of(rank, world_size) for rank in range(world_size)]
    except (ConfigError, DataError) as error:
        is_gap = len(set(labels)) <= max(labels)
        assert is_gap or 'cannot be drawn' in str(error) or 'each needs one' in str(error)
        return
    for epoch in (0, 3):
        for sampler in (whole, *parts):
            sampler.set_epoch(epoch)
        order, shares = list(whole), [list(part) for part in parts]
        assert order == list(whole)
        assert len(order) == len(whole)
        assert all(0 <= position < len(labels) for position in order)
        assert {len(share) for share in shares} == {len(part) for part in parts} == {-(-len(order) // world_size)}
        by_turns = [position for turn in zip(*shares, strict=True) for position in turn]
        assert by_turns[: len(order)] == order
        batches = list(BatchSampler(parts[0], 4, drop_last=False))
        again = iter(BatchSampler(parts[0], 4, drop_last=False))
        next(again)
        assert list(again) == batches[1:]  # what a resumed epoch goes on with


VALUE = (
    st.none() | st.booleans() | st.integers(-2, 5) | st.floats() | st.text(max_size=4) | st.lists(st.text(), max_size=2)
)
KEYS = ('name', 'epochs', 'lr', 'freeze', 'reset', 'mixing', 'loss_weights', 'sampler', 'pipeline', 'load_best', 'head')
STAGE = st.dictionaries(
    st.sampled_from(KEYS) | st.text(max_size=3), VALUE | st.dictionaries(st.text(max_size=4), VALUE)
)
SOUND = st.fixed_dictionaries(dict(name=st.text('abc', min_size=1, max_size=6), epochs=st.integers(1, 9)))


@fuzz
@given(st.lists(SOUND | STAGE, max_size=4) | VALUE)
def test_stages_are_a_plan_that_adds_up_or_refused(stages: Any) -> None:
    try:
        plan = StagePlan(stages)
    except ConfigError:
        return
    assert plan.max_epochs == sum(stage['epochs'] for stage in stages)


@fuzz
@given(st.lists(SOUND, min_size=1, max_size=6, unique_by=lambda stage: stage['name']))
def test_stages_tile_the_run(stages: list[dict[str, Any]]) -> None:
    plan = StagePlan(stages)
    wanted = [index for index, stage in enumerate(stages) for _ in range(stage['epochs'])]
    assert [plan.index_at(epoch) for epoch in range(plan.max_epochs)] == wanted
    assert [plan.begin(index) for index in range(len(plan) + 1)] == np.cumsum(
        [0, *(s['epochs'] for s in stages)]
    ).tolist()
    plan.check_fits(plan.max_epochs)
    with pytest.raises(ConfigError, match='Make them equal'):
        plan.check_fits(plan.max_epochs + 1)
    for index in range(len(plan)):
        assert plan.find_stage(dict(plan=plan.outline(), current=index)) == index


@fuzz
@given(
    st.dictionaries(st.sampled_from(['many', 'few', 'edges', 'class_counts', 'classifier']), VALUE | st.lists(NUMBER))
)
def test_settings_of_a_metric_are_taken_or_refused(arguments: dict[str, Any]) -> None:
    try:
        metric = ShotAccuracy(**arguments)
    except ConfigError as error:
        assert str(error)
        return
    assert metric.many >= metric.few
    if metric.class_counts is not None:
        groups = np.stack(list(metric.class_groups().values()))
        assert (groups.sum(axis=0) == 1).all()  # every class is in one group
