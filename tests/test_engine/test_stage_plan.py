"""The plan of stages: arithmetic of epochs, and bad plans."""

import pytest

from mmdrl.engine.stage_plan import StagePlan
from mmdrl.errors import ConfigError, DataError

PLAN = [
    dict(name='a', epochs=2),
    dict(name='b', epochs=3, freeze='backbone'),
    dict(name='c', epochs=1, lr=0.1),
]


def test_every_epoch_belongs_to_the_stage_that_covers_it() -> None:
    plan = StagePlan(PLAN)
    assert [plan.index_at(epoch) for epoch in range(8)] == [0, 0, 1, 1, 1, 2, 2, 2]
    assert [plan.begin(index) for index in range(4)] == [0, 2, 5, 6]
    assert plan.max_epochs == 6


def test_one_pattern_may_stand_without_brackets() -> None:
    assert StagePlan(PLAN)[1].freeze == ('backbone',)


def test_rate_or_schedule_makes_a_schedule_of_its_own() -> None:
    assert [stage.has_own_schedule for stage in StagePlan(PLAN).stages] == [False, False, True]
    assert StagePlan([dict(name='a', epochs=1, param_scheduler=[])])[0].has_own_schedule


@pytest.mark.parametrize(
    ('stages', 'message'),
    [
        ([], 'at least one stage'),
        ([dict(name='a')], 'epochs'),
        ([dict(epochs=1)], 'name'),
        ([dict(name='a', epochs=0)], "'a'.*0"),
        ([dict(name='a', epochs=1.5)], '1.5'),
        ([dict(name='a', epochs=1, frozen=['backbone'])], 'freeze.*frozen'),
    ],
)
def test_malformed_plan_is_refused(stages: list[dict], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        StagePlan(stages)


@pytest.mark.parametrize('max_epochs', [5, 7, None])
def test_plan_of_another_length_than_the_run_is_refused(max_epochs: int | None) -> None:
    StagePlan(PLAN).check_fits(6)
    with pytest.raises(ConfigError, match='max_epochs'):
        StagePlan(PLAN).check_fits(max_epochs)


def test_progressive_sampler_moves_with_the_epochs_of_its_stage() -> None:
    sampler = dict(type='mmdrl.ProgressiveSampler')
    plan = StagePlan([dict(name='a', epochs=2), dict(name='b', epochs=3, sampler=sampler)])
    assert plan.sampler_at(0) is None
    assert plan.sampler_at(1) == dict(sampler, begin=2, num_epochs=3)
    plan = StagePlan([dict(name='a', epochs=2), dict(name='b', epochs=3, sampler=dict(sampler, begin=0))])
    assert plan.sampler_at(1) == dict(sampler, begin=0, num_epochs=3)


@pytest.mark.parametrize('saved', [None, 3, {}, {'plan': 3, 'current': 0}])
def test_checkpoint_of_another_plan_is_refused(saved: object) -> None:
    with pytest.raises(ConfigError, match='was trained with stages'):
        StagePlan(PLAN).find_stage(saved)


@pytest.mark.parametrize('current', [3, -1, 'a', None, True])
def test_damaged_number_of_a_stage_is_a_sentence(current: object) -> None:
    plan = StagePlan(PLAN)
    assert plan.find_stage(dict(plan=plan.outline(), current=2)) == 2
    with pytest.raises(DataError, match='one of 3 stages'):
        plan.find_stage(dict(plan=plan.outline(), current=current))
