"""The plan of stages: arithmetic of epochs, and bad plans."""

from typing import Any

import pytest

from mmdrl.engine.stages import StagePlan
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


def test_rate_schedule_optimiser_or_head_make_a_schedule_of_its_own() -> None:
    assert [stage.has_own_schedule for stage in StagePlan(PLAN).stages] == [False, False, True]
    for key, value in (('param_scheduler', []), ('optim_wrapper', {}), ('head', dict(topk=(1, 5)))):
        plan = StagePlan([PLAN[0], dict(name='z', epochs=1, **{key: value}), dict(name='end', epochs=1)])
        assert [stage.has_own_schedule for stage in plan.stages] == [False, True, False]
        assert [plan.schedule_at(index) for index in range(3)] == [None, plan[1], plan[1]]


@pytest.mark.parametrize(
    ('stages', 'message'),
    [
        ([], 'at least one stage'),
        ([dict(name='a')], 'epochs'),
        ([dict(epochs=1)], 'name'),
        ([dict(name='a', epochs=0)], "'a'.*0"),
        ([dict(name='a', epochs=1.5)], '1.5'),
        ([dict(name='a', epochs=1, frozen=['backbone'])], 'freeze.*frozen'),
        ([dict(name='a', epochs=1), dict(name='a', epochs=2)], "names of their own.*'a', 'a'"),
        ([dict(name='a', epochs=1, head=dict(topk=1))], "'a', has no stage before.*model.head"),
        ([dict(name='a', epochs=1, load_best='all')], "'a', has no stage before.*load_from"),
        ([dict(name='a', epochs=True)], 'True'),
        ([dict(name='a', epochs=1, loss='CrossEntropyLoss')], "'a': loss must be a dict"),
        ([dict(name='a', epochs=1, mixing=0)], 'mixing must be a bool'),
        (3, 'stages must be a list of dicts, got 3'),
        (dict(name='a', epochs=1), 'stages must be a list of dicts'),
        ([3], 'must be a dict with name and epochs, got 3'),
        ([dict(name=None, epochs=1)], 'name of a stage.*None'),
        ([dict(name='', epochs=1)], "name of a stage.*''"),
        ([dict(name='a\nb', epochs=1)], 'printable'),
        ([dict(name='x' * 41, epochs=1)], '1 to 40'),
        ([dict(name='a', epochs=1, freeze=[1])], r"'a': freeze must hold names, got \[1\]"),
        ([dict(name='a', epochs=1, reset=[None])], 'reset must hold names'),
        ([dict(name='a', epochs=1, lr=float('nan'))], "'a': lr.*nan"),
        ([dict(name='a', epochs=1, lr=True)], 'lr=True'),
        ([dict(name='a', epochs=1, loss_weights=dict(loss_cls=-1.0))], 'loss_weights.*-1.0'),
        ([dict(name='a', epochs=1, loss_weights=dict(loss_cls='1'))], "loss_weights.*'1'"),
        ([dict(name='a', epochs=1, param_scheduler=['x'])], 'param_scheduler must hold dicts with a type'),
        ([dict(name='a', epochs=1, pipeline=[dict()])], 'pipeline must hold dicts with a type'),
        ([dict(name='a', epochs=1, pipeline=[])], 'PackInputs'),
        ([dict(name='a', epochs=1, sampler=dict())], 'sampler must be a dict with a type'),
        ([dict(name='a', epochs=1, sampler=dict(type=3))], 'sampler must be a dict with a type'),
        ([PLAN[0], dict(name='b', epochs=1, load_best=dict(rule='less'))], "'b': load_best takes a metric"),
        ([PLAN[0], dict(name='b', epochs=1, load_best=dict(metric='all', rule='more'))], "'greater' or 'less'.*more"),
    ],
)
def test_malformed_plan_is_refused(stages: Any, message: str) -> None:
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
    with pytest.raises(ConfigError, match=r'was trained with no stages.*2 epochs'):
        StagePlan(PLAN).find_stage(saved)


@pytest.mark.parametrize('current', [3, -1, 'a', None, True])
def test_damaged_number_of_a_stage_is_a_sentence(current: object) -> None:
    plan = StagePlan(PLAN)
    assert plan.find_stage(dict(plan=plan.outline(), current=2)) == 2
    with pytest.raises(DataError, match='one of 3 stages'):
        plan.find_stage(dict(plan=plan.outline(), current=current))


def test_stages_that_have_begun_must_be_as_they_were_and_later_ones_may_change() -> None:
    saved = dict(plan=StagePlan(PLAN).outline(), current=1)
    other = [PLAN[0], PLAN[1], {**PLAN[2], 'lr': 0.2}]
    assert StagePlan(other).find_stage(saved) == 1
    other[1] = {**PLAN[1], 'freeze': ['neck']}
    with pytest.raises(ConfigError, match=r"freeze=\['backbone'\] in stage 'b'.*\['neck'\]"):
        StagePlan(other).find_stage(saved)


def test_outline_is_plain_and_says_the_same_for_the_same_settings_written_otherwise() -> None:
    class Sampler: ...

    first = StagePlan([dict(name='a', epochs=1, freeze='backbone', sampler=dict(type=Sampler), loss=None, mixing=True)])
    second = StagePlan([dict(name='a', epochs=1, freeze=('backbone',), sampler=dict(type='Sampler'))])
    assert first.outline() == second.outline()
    assert first.outline() == [dict(name='a', epochs=1, freeze=['backbone'], sampler=dict(type='Sampler'))]


@pytest.mark.parametrize(
    ('rule', 'value', 'than', 'expected'),
    [
        ('greater', 2.0, 1.0, True),
        ('greater', 1.0, 1.0, False),
        ('less', 1.0, 2.0, True),
        ('greater', float('nan'), None, False),
        ('less', -1.0, None, True),
    ],
)
def test_the_better_value_replaces_the_best_one(rule: str, value: float, than: float | None, expected: bool) -> None:
    entry = dict(name='b', epochs=1, load_best=dict(metric='all', rule=rule))
    assert StagePlan([PLAN[0], entry])[1].load_best.is_better(value, than) is expected
