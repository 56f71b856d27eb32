"""save_best and early stopping by our metrics: named as MMEngine or as TensorBoard names them, without a rule."""

from pathlib import Path

import pytest
from digits_run import short_config
from mmengine.config import Config
from mmengine.hooks import CheckpointHook

from mmdrl.engine.build import build_runner
from mmdrl.engine.chosen_metrics import settle_choices
from mmdrl.engine.run import train_model
from mmdrl.errors import ConfigError
from mmdrl.evaluation import ShotAccuracy
from mmdrl.registry import METRICS

ALL = [
    dict(type='mmdrl.ShotAccuracy', many=60),
    dict(type='mmdrl.ShotAccuracy', classifier='ncm', prefix='ncm'),
    dict(type='mmdrl.ClassAccuracy'),
    dict(type='mmdrl.ClassAccuracy', classifier='ncm', prefix='ncm'),
    dict(type='mmdrl.Calibration'),
]
STAGE = [dict(name='only', epochs=1)]


def choosing(save_best=None, monitor=None, evaluator=ALL, **settings) -> Config:
    hooks = dict(checkpoint=dict(type='CheckpointHook', save_best=save_best, **settings))
    stopping = [dict(type='EarlyStoppingHook', monitor=monitor)] if monitor else []
    return Config(dict(val_evaluator=evaluator, default_hooks=hooks, custom_hooks=stopping))


@pytest.mark.parametrize(
    ('name', 'rule'),
    [
        *(
            (name, 'greater')
            for name in ('many', 'medium', 'few', 'all', 'ncm/few', 'balanced', 'macro_f1', 'worst_class')
        ),
        *((name, 'less') for name in ('head_tail_gap', 'ece', 'mce', 'brier', 'ece_few', 'brier_many')),
    ],
)
@pytest.mark.parametrize('prefix', ['', 'val/'])
def test_every_metric_of_ours_has_its_rule_under_both_names(name: str, rule: str, prefix: str) -> None:
    cfg = choosing(prefix + name, prefix + name)
    settle_choices(cfg)
    for hook, key in ((cfg.default_hooks.checkpoint, 'save_best'), (cfg.custom_hooks[0], 'monitor')):
        assert (hook[key], hook.rule) == (name, rule)


def test_several_have_a_rule_each_and_mmengine_takes_them() -> None:
    cfg = choosing(['val/few', 'ece', 'accuracy/top1'], evaluator=[*ALL, dict(type='Accuracy')])
    settle_choices(cfg)
    settings = {key: value for key, value in cfg.default_hooks.checkpoint.items() if key != 'type'}
    hook = CheckpointHook(**settings)
    assert hook.key_indicators == ['few', 'ece', 'accuracy/top1']
    assert hook.rules == ['greater', 'less', 'greater']


@pytest.mark.parametrize('evaluator', [ALL, dict(type='Evaluator', metrics=ALL), ALL[0], None])
def test_evaluator_may_be_written_in_any_way(evaluator) -> None:
    cfg = choosing('val/few', evaluator=evaluator)
    settle_choices(cfg)
    assert (cfg.default_hooks.checkpoint.save_best, cfg.default_hooks.checkpoint.rule) == ('few', 'greater')


def test_rule_that_was_given_stays() -> None:
    cfg = choosing('few', rule='less')
    settle_choices(cfg)
    assert cfg.default_hooks.checkpoint.rule == 'less'


def test_settling_twice_changes_nothing() -> None:
    cfg = choosing(['val/few', 'ece'], 'val/brier')
    settle_choices(cfg)
    once = cfg.to_dict()
    settle_choices(cfg)
    assert cfg.to_dict() == once


@pytest.mark.parametrize(
    ('cfg', 'message'),
    [
        (choosing('tail'), "save_best='tail' of CheckpointHook names no metric.*: many, medium, few, all, ncm/many"),
        (choosing('val/tail'), "save_best='tail'"),
        (choosing(monitor='ncm/ece'), "monitor='ncm/ece' of EarlyStoppingHook names no metric"),
        (
            choosing(evaluator=[ALL[2], dict(ALL[3], prefix=None)]),
            "'balanced', one of them by ClassAccuracy.*prefix='n",
        ),
        (choosing('auto'), "save_best='auto' would take the first metric, 'many'"),
        (
            choosing('mine', evaluator=[*ALL, dict(type='Accuracy')]),
            "save_best='mine' .* Add rule='greater' or rule='less'",
        ),
    ],
)
def test_choice_that_cannot_be_made_gets_a_sentence(cfg: Config, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settle_choices(cfg)


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ('all', 'all'),
        ('val/all', dict(metric='all', rule='greater')),
        ('ece', dict(metric='ece', rule='less')),
        (dict(metric='ece'), dict(metric='ece', rule='less')),
        (dict(metric='val/few', rule='less'), dict(metric='few', rule='less')),
        ('top1', 'top1'),
        (3, 3),
    ],
)
def test_stage_that_begins_with_the_best_weights_has_the_rule_too(given, expected) -> None:
    stages = dict(type='mmdrl.TwoStageHook', stages=[dict(name='one'), dict(name='two', load_best=given)])
    cfg = Config(dict(val_evaluator=ALL, default_hooks=dict(stages=stages)))
    settle_choices(cfg)
    assert cfg.default_hooks.stages.stages[1].load_best == expected


def test_choices_of_others_are_left_to_mmengine() -> None:
    cfg = choosing('auto', evaluator=[dict(type='Accuracy')])
    settle_choices(cfg)
    build = choosing('accuracy/top1', evaluator=[dict(type='Accuracy')])
    settle_choices(build)
    assert cfg.default_hooks.checkpoint.save_best == 'auto'
    assert build.default_hooks.checkpoint.rule == 'greater'


def test_metric_derived_from_ours_may_measure_more() -> None:
    @METRICS.register_module(name='Mine', force=True)
    class Mine(ShotAccuracy):
        pass

    cfg = choosing('harmonic', evaluator=[dict(type='Mine')], rule='greater')
    settle_choices(cfg)
    assert cfg.default_hooks.checkpoint.save_best == 'harmonic'


def test_config_without_hooks_is_left_alone() -> None:
    settle_choices(Config(dict(val_evaluator=ALL)))


def test_run_keeps_its_best_and_says_that_a_choice_is_nan(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'run', STAGE)
    cfg.default_hooks.checkpoint.save_best = ['val/few', 'ncm/many']
    cfg.val_evaluator = [ALL[0], dict(ALL[1], many=1000, few=1)]  # no class has more than 1000 images
    train_model(cfg)
    assert (tmp_path / 'run/best_few_epoch_1.pth').is_file()
    assert not list((tmp_path / 'run').glob('best_ncm*'))
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert 'ncm/many is nan, so these weights cannot be the best' in log
    assert 'few is nan' not in log


@pytest.mark.parametrize(('monitor', 'is_refused'), [('val/few', False), ('tail', True)])
def test_early_stopping_is_built_or_refused_before_training(tmp_path: Path, monitor: str, is_refused: bool) -> None:
    cfg = short_config(tmp_path / 'run', STAGE)
    cfg.custom_hooks = [dict(type='EarlyStoppingHook', monitor=monitor)]
    if is_refused:
        with pytest.raises(ConfigError, match="monitor='tail' of EarlyStoppingHook names no metric"):
            train_model(cfg)
        assert not (tmp_path / 'run').exists()
    else:
        hooks = {type(hook).__name__: hook for hook in build_runner(cfg).hooks}
        assert (hooks['EarlyStoppingHook'].monitor, hooks['EarlyStoppingHook'].rule) == ('few', 'greater')


def test_metric_of_others_that_is_not_measured_is_told_at_the_first_validation(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'run', STAGE)
    cfg.val_evaluator = [ALL[0], dict(type='Accuracy')]
    cfg.default_hooks.checkpoint.save_best = 'accuracy/top5'
    with pytest.raises(ConfigError, match=r"save_best='accuracy/top5' .* names no metric .* accuracy/top1"):
        train_model(cfg)
