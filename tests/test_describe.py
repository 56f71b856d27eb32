"""The dry plan of a run says what training then does."""

import math
from pathlib import Path
from typing import Any

import pytest
from command import ROOT
from digits_run import STAGES, short_config, train
from dry_plan import DIGITS, described, printed, with_stages
from mmengine.hooks import Hook

from mmdrl.engine.config import load_config
from mmdrl.engine.describe import describe_run
from mmdrl.errors import ConfigError
from mmdrl.visualization.plan_rows import stage_rows


class Watch(Hook):
    """Notes what a run has in each stage."""

    def __init__(self) -> None:
        self.seen: dict[str, dict[str, Any]] = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        seen = self.seen.setdefault(runner.message_hub.get_info('stage'), dict(iterations=0, rates=[]))
        seen['iterations'] += 1
        seen['rates'].append(runner.optim_wrapper.get_lr()['lr'][0])
        seen['learned'] = sum(p.numel() for p in runner.model.parameters() if p.requires_grad)
        seen['size'] = len(data_batch['inputs'])
        seen['loss'] = type(runner.model.head.loss_module).__name__
        seen['weights'] = dict(runner.model.head.loss_scale)


def test_plan_is_what_training_does(tmp_path):
    warm_up = [
        dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=15),
        dict(type='CosineAnnealingLR', T_max=2, convert_to_iter_based=True),
    ]
    stages = [
        STAGES[0] | dict(param_scheduler=warm_up, lr=0.05),
        STAGES[1] | dict(loss=dict(type='mmdrl.BalancedSoftmaxLoss'), freeze=['head.fc.bias']),
        STAGES[2] | dict(lr=0.02, param_scheduler=dict(type='ExponentialLR', gamma=0.5)),
    ]
    plan = describe_run(short_config(tmp_path / 'plan', stages))
    watch = Watch()
    runner = train(short_config(tmp_path / 'run', stages), watch)
    assert [stage['name'] for stage in plan['stages']] == list(watch.seen)
    assert plan['iterations'] == runner.iter
    assert plan['parameters'] == sum(p.numel() for p in runner.model.parameters())
    for stage, seen in zip(plan['stages'], watch.seen.values(), strict=True):
        assert stage['iterations'] == seen['iterations']
        assert stage['learned'] == seen['learned']
        assert stage['loss']['type'].rpartition('.')[2] == seen['loss']
        assert stage['loss_weights'] == seen['weights']
        rates = seen['rates']
        expected = dict(first=rates[0], last=rates[-1], highest=max(rates), lowest=min(rates))
        assert stage['lr'] == pytest.approx(expected, rel=1e-12)


def test_digits_by_hand():
    """331 images in batches of 32; 10 classes of 120 draws each; one cosine over the 50 epochs."""
    plan = described()
    assert (plan['epochs'], plan['iterations'], plan['unread']) == (50, 20 * 11 + 30 * 38, {})
    warm_up, feature, classifier = plan['stages']
    assert [stage['epochs'] for stage in plan['stages']] == [[1, 20], [21, 40], [41, 50]]
    assert [stage['iterations_per_epoch'] for stage in plan['stages']] == [11, 38, 38]

    def cosine(epoch: int) -> float:
        return 0.05 * (1 + math.cos(math.pi * epoch / 50))

    assert warm_up['lr'] == pytest.approx(dict(first=0.1, last=cosine(19), highest=0.1, lowest=cosine(19)))
    assert feature['lr'] == pytest.approx(
        dict(first=cosine(20), last=cosine(39), highest=cosine(20), lowest=cosine(39))
    )
    assert classifier['lr'] == pytest.approx(
        dict(first=cosine(40), last=cosine(49), highest=cosine(40), lowest=cosine(49))
    )
    assert (classifier['learned'], classifier['learned_parts'], classifier['frozen']) == (650, ['head'], ['backbone'])
    assert warm_up['loss_weights'] == {'loss_cls': 1.0, 'loss_dr': 0.0}


@pytest.mark.parametrize(('processes', 'batches'), [(1, [11, 38]), (2, [6, 19]), (8, [2, 5])])
def test_processes_share_the_images(processes, batches):
    """331 / W and 1200 / W images, rounded up, in batches of 32, rounded up."""
    plan = described(processes=processes)
    assert [stage['iterations_per_epoch'] for stage in plan['stages'][:2]] == batches


def test_rate_scales_with_the_processes():
    plan = described(DIGITS, 'auto_scale_lr.enable=True', processes=4)
    assert plan['stages'][0]['lr']['first'] == pytest.approx(0.4)
    own = with_stages(STAGES[0], STAGES[2] | dict(lr=0.02), **{'auto_scale_lr.enable': True})
    assert own['stages'][1]['lr']['first'] == pytest.approx(0.02)


def test_shortened_epoch_is_as_short_on_every_process():
    options = ('train_dataloader.num_batch_per_epoch=3',)
    for processes in (1, 2):
        assert described('configs/ce_r8_digits-lt.py', *options, processes=processes)['iterations'] == 150


def test_blocks_are_those_of_all_processes():
    sampler = dict(type='mmdrl.BatchBalancedSampler', classes_per_batch=8, samples_per_class=8)
    cfg = short_config(Path('nowhere'), [STAGES[0], STAGES[1] | dict(sampler=sampler)])
    with pytest.raises(ConfigError, match='1 x 32 = 32 is none'):
        describe_run(cfg)
    assert describe_run(cfg, 2)['stages'][1]['iterations_per_epoch'] == 6  # 384 = 6 blocks of 64


def test_run_without_stages_is_one():
    plan = described('configs/ce_r8_digits-lt.py')
    (stage,) = plan['stages']
    assert (stage['name'], stage['epochs'], plan['iterations']) == ('train', [1, 50], 550)
    assert stage['dr_loss'] is None


def test_run_by_iterations_has_no_epochs(tmp_path):
    cfg = load_config(str(ROOT / 'configs/ce_r8_digits-lt.py'))
    cfg.train_cfg = dict(type='mmdrl.ResumableIterLoop', max_iters=100)
    cfg.param_scheduler = [dict(type='LinearLR', start_factor=0.5, end_factor=1.0, by_epoch=False, end=11)]
    plan = describe_run(cfg)
    assert (plan['epochs'], plan['iterations']) == (None, 100)
    assert plan['stages'][0]['lr'] == pytest.approx(dict(first=0.05, last=0.1, highest=0.1, lowest=0.05))
    assert 'epochs' not in stage_rows(plan['stages'][0], plan)
    assert '100 iterations' in printed(plan, 'run', 80)


def test_rate_that_validation_decides_is_not_guessed():
    cfg = load_config(str(ROOT / 'configs/ce_r8_digits-lt.py'))
    cfg.param_scheduler = [dict(type='ReduceOnPlateauLR', monitor='all', rule='greater')]
    plan = describe_run(cfg)
    assert plan['stages'][0]['lr'] == dict(first=0.1, last=None, highest=None, lowest=None)
    assert '0.1 to ?' in printed(plan, 'run', 80)


def test_rate_without_the_hook_that_steps_it_stays():
    plan = described(DIGITS, 'default_hooks.param_scheduler=None')
    assert [stage['lr'] for stage in plan['stages']] == [dict(first=0.1, last=0.1, highest=0.1, lowest=0.1)] * 3


def test_base_rate_is_told_whatever_the_parts_have():
    cfg = load_config(str(ROOT / DIGITS))
    cfg.optim_wrapper.paramwise_cfg = dict(custom_keys={'backbone': dict(lr_mult=0.1)})
    assert describe_run(cfg)['stages'][0]['lr']['first'] == 0.1


def test_mixed_precision_can_be_planned_without_a_gpu():
    plan = described(DIGITS, 'optim_wrapper.type=AmpOptimWrapper', 'optim_wrapper.loss_scale=dynamic')
    assert plan['stages'][0]['optim_wrapper']['type'] == 'AmpOptimWrapper'
    assert plan['stages'][0]['lr']['first'] == 0.1
    assert 'AmpOptimWrapper' in printed(plan, 'run', 80)


def test_every_switch_of_a_stage_shows():
    cosine = dict(classifier=dict(type='mmdrl.CosineClassifier'))
    augments = dict(augments=[dict(type='Mixup', alpha=0.2)])
    cfg = short_config(
        Path('nowhere'),
        [
            dict(name='mixup', epochs=2),
            dict(name='cosine', epochs=1, head=cosine, optim_wrapper=dict(clip_grad=dict(max_norm=1.0))),
            dict(name='slow', epochs=4, sampler=dict(type='mmdrl.ProgressiveSampler'), mixing=False, reset='head.fc'),
            dict(
                name='plain',
                epochs=1,
                pipeline=[dict(type='RandomFlip', prob=0.5), dict(type='PackInputs')],
                loss=dict(type='CrossEntropyLoss', use_soft=True),
                lr=0.1,
            ),
        ],
        **{'model.data_preprocessor.batch_augments': augments},
    )
    del cfg.model.head.dr_loss
    mixup, cosine, slow, plain = describe_run(cfg)['stages']
    assert [stage['mixing'] for stage in (mixup, cosine, slow, plain)] == [['Mixup'], ['Mixup'], [], ['Mixup']]
    assert mixup['classifier']['type'] == 'Linear'
    assert [stage['classifier']['type'] for stage in (cosine, slow, plain)] == ['mmdrl.CosineClassifier'] * 3
    assert mixup['parameters'] - cosine['parameters'] == 10  # the bias
    assert cosine['optim_wrapper']['clip_grad'] == dict(max_norm=1.0)
    assert (slow['reset'], slow['begins_schedule'], cosine['begins_schedule']) == (['head.fc'], False, True)
    assert (slow['sampler']['begin'], slow['sampler']['num_epochs']) == (3, 4)
    assert [step['type'] for step in slow['pipeline']] == ['PackInputs']
    assert [step['type'] for step in plain['pipeline']] == ['RandomFlip', 'PackInputs']
    assert plain['loss']['use_soft']


def test_best_weights_to_begin_with_are_named():
    cfg = short_config(Path('nowhere'), [STAGES[0], STAGES[2] | dict(load_best=dict(metric='ncm/few'))])
    cfg.train_cfg.val_interval = 1
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    plan = describe_run(cfg)
    assert plan['stages'][1]['load_best'] == dict(metric='ncm/few', rule='greater', stage='warm-up')
    assert 'best weights of warm-up by ncm/few' in printed(plan, 'run', 200)


def test_radii_that_a_switched_off_loss_leaves_alone_are_frozen():
    radius = dict(_delete_=True, type='mmdrl.LearnedRadius', init=1.0)
    plan = with_stages(*STAGES, **{'model.head.dr_loss.radius': radius})
    assert [stage['frozen'] for stage in plan['stages']] == [['head.dr_layers'], [], ['backbone', 'head.dr_layers']]
    assert plan['stages'][2]['learned_parts'] == ['head.fc']
