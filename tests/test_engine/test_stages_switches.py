"""What a stage switches beside sampler, loss weights and frozen parts: loss, head, optimiser, transforms, mixing."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from digits_run import ROOT, short_config, train
from mmengine.hooks import Hook

from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.config import load_config
from mmdrl.engine.run import evaluate, train_model
from mmdrl.errors import ConfigError, DataError

LWS = dict(classifier=dict(type='mmdrl.LWSClassifier'))


class Notes(Hook):
    """Calls a function after each iteration and keeps what it returns, by epoch."""

    priority = 'LOWEST'

    def __init__(self, look: Any):
        self.look = look
        self.seen: dict[int, list[Any]] = {}

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.seen.setdefault(runner.epoch, []).append(self.look(runner, data_batch, outputs))


def notes(cfg: Any, look: Any) -> dict[int, list[Any]]:
    hook = Notes(look)
    train(cfg, hook)
    return hook.seen


def two(**second: Any) -> list[dict[str, Any]]:
    return [dict(name='one', epochs=1), dict(name='two', epochs=1, **second)]


def test_loss_of_a_stage_knows_the_class_counts_and_goes_with_the_stage(tmp_path: Path) -> None:
    stages = [*two(loss=dict(type='mmdrl.BalancedSoftmaxLoss')), dict(name='three', epochs=1)]

    def look(runner: Any, *_: Any) -> tuple[str, Any]:
        loss = runner.model.head.loss_module
        return type(loss).__name__, getattr(loss, 'class_counts', torch.zeros(0)).tolist()

    seen = notes(short_config(tmp_path / 'run', stages), look)
    counts = [120, 77, 50, 32, 21, 13, 8, 5, 3, 2]
    assert [seen[epoch][0] for epoch in range(3)] == [
        ('CrossEntropyLoss', []),
        ('BalancedSoftmaxLoss', counts),
        ('CrossEntropyLoss', []),
    ]


def test_replaced_head_keeps_what_fits_and_learns_what_is_new(tmp_path: Path) -> None:
    freeze = ['backbone', 'head.fc.weight', 'head.fc.bias']

    def look(runner: Any, *_: Any) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in runner.model.head.state_dict().items()}

    seen = notes(short_config(tmp_path / 'run', two(head=LWS, lr=0.05, freeze=freeze)), look)
    before, *after = [seen[0][-1], *seen[1]]
    assert set(after[0]) - set(before) == {'fc.scale'}
    assert all(torch.equal(state['fc.weight'], before['fc.weight']) for state in after)
    assert all(torch.equal(state['fc.bias'], before['fc.bias']) for state in after)
    assert torch.equal(after[-1]['class_counts'], before['class_counts'])
    assert not torch.equal(after[-1]['fc.scale'], torch.ones(10))


def test_cosine_classifier_takes_directions_from_a_linear_one_and_no_bias(tmp_path: Path) -> None:
    """Its own bias is a buffer: one learned before would stay in the scores for good."""
    stages = two(head=dict(classifier=dict(type='mmdrl.CosineClassifier')), lr=0.0)
    seen = notes(short_config(tmp_path / 'run', stages), lambda runner, *_: runner.model.head.fc.state_dict())
    assert seen[0][-1]['bias'].all()
    assert torch.equal(seen[1][0]['weight'], seen[0][-1]['weight'])
    assert not seen[1][0]['bias'].any()


def test_checkpoint_of_a_replaced_head_is_tested_by_the_config_of_the_run(tmp_path: Path) -> None:
    stages = two(head=LWS, lr=0.05, freeze=['backbone', 'head.fc.weight', 'head.fc.bias'])
    cfg = short_config(tmp_path / 'run', stages)
    train_model(cfg)
    trained = load_config(str(tmp_path / 'run' / f'{Path(cfg.filename).name}'), work_dir=str(tmp_path / 'test'))
    checkpoint = str(tmp_path / 'run' / 'epoch_2.pth')
    scale = read_checkpoint(checkpoint)['state_dict']['head.fc.scale']
    assert not torch.equal(scale, torch.ones(10))
    metrics = evaluate(trained, checkpoint)
    direct = load_config(str(ROOT / 'configs/drl_r8_digits-lt.py'), work_dir=str(tmp_path / 'direct'))
    direct.model.head.update(LWS)
    del direct.default_hooks.stages
    assert evaluate(direct, checkpoint) == metrics


def test_stage_may_have_an_optimiser_of_its_own_that_starts_afresh(tmp_path: Path) -> None:
    changes = dict(optimizer=dict(_delete_=True, type='Adam', lr=0.003), clip_grad=dict(max_norm=1.0))
    schedule = [dict(type='CosineAnnealingLR')]  # ends with the stage: the rate of epoch 2 of 4 is half of the first
    stages = [
        dict(name='one', epochs=1),
        dict(name='two', epochs=4, optim_wrapper=changes, param_scheduler=schedule),
        dict(name='three', epochs=1),
    ]

    def look(runner: Any, *_: Any) -> tuple[str, float, int]:
        optimizer = runner.optim_wrapper.optimizer
        steps = next(iter(optimizer.state.values())).get('step', torch.tensor(-1))
        return type(optimizer).__name__, optimizer.param_groups[0]['lr'], int(steps)

    seen = notes(short_config(tmp_path / 'run', stages), look)
    assert [seen[epoch][0][0] for epoch in range(6)] == ['SGD'] + ['Adam'] * 5
    expected = [0.003 * (1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in range(4)]
    assert [seen[epoch][0][1] for epoch in range(1, 5)] == pytest.approx(expected)
    assert seen[1][0][2] == 1
    assert seen[5][0][2] == 1 + sum(len(seen[epoch]) for epoch in range(1, 5))


def test_total_batch_scales_the_rate_of_a_stage_too(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'run', two(lr=0.02))
    cfg.auto_scale_lr = dict(enable=True, base_batch_size=64)
    seen = notes(cfg, lambda runner, *_: runner.optim_wrapper.optimizer.param_groups[0]['lr'])
    assert [seen[epoch][0] for epoch in range(2)] == pytest.approx([0.05, 0.01])


def test_stage_may_show_the_images_otherwise(tmp_path: Path) -> None:
    pipeline = [dict(type='RandomFlip', prob=1.0), dict(type='PackInputs')]

    def look(runner: Any, batch: Any, *_: Any) -> tuple[Any, Any]:
        sample = batch['data_samples'][0]
        return batch['inputs'][0], runner.train_dataloader.dataset.get_data_info(sample.sample_idx)['img']

    cfg = short_config(tmp_path / 'run', two(pipeline=pipeline))
    cfg.train_dataloader.dataset = dict(type='mmdrl.Digits', pipeline=[dict(type='PackInputs')])
    cfg.train_dataloader.num_batch_per_epoch = 3
    seen = notes(cfg, look)
    for shown, image in seen[0]:
        assert (shown[0].numpy() == image.squeeze()).all()
    for shown, image in seen[1]:
        assert (shown[0].numpy() == image.squeeze()[:, ::-1]).all()


@pytest.mark.parametrize('kind', ['batch', 'dataset'])
def test_mixing_can_be_switched_off_for_a_stage_and_comes_back(tmp_path: Path, kind: str) -> None:
    stages = [*two(mixing=False), dict(name='three', epochs=1, loss_weights=dict(loss_dr=0.0))]
    stages[0]['loss_weights'] = dict(loss_dr=0.0)
    cfg = short_config(tmp_path / 'run', stages)
    if kind == 'batch':
        cfg.model.data_preprocessor.batch_augments = dict(augments=[dict(type='Mixup', alpha=1.0)])
    else:
        cfg.train_dataloader.dataset = dict(type='mmdrl.BalancedMixup', dataset=cfg.train_dataloader.dataset)
    cfg.num_workers = 0

    def look(runner: Any, batch: Any, outputs: Any) -> tuple[bool, bool]:
        processed = runner.model.data_preprocessor(batch, training=True)
        return 'gt_score' in processed['data_samples'][0], 'loss_dr' in outputs

    seen = notes(cfg, look)
    assert [seen[epoch][0] for epoch in range(3)] == [(True, False), (False, True), (True, False)]


def test_stage_begins_with_the_best_weights_of_the_one_before(tmp_path: Path) -> None:
    """A rate far too high after the first epoch makes that one the best."""
    stages = [dict(name='one', epochs=3), dict(name='two', epochs=1, lr=0.01, load_best='all')]
    cfg = short_config(tmp_path / 'run', stages, test_cfg=None, test_dataloader=None, test_evaluator=None)
    cfg.train_cfg.val_interval = 1

    class Spoil(Hook):
        priority = 'LOWEST'
        scores: list[float] = []
        weights: list[torch.Tensor] = []

        def after_val_epoch(self, runner: Any, metrics: Any = None) -> None:
            self.scores.append(metrics['all'])
            self.weights.append(runner.model.backbone.conv1.weight.detach().clone())
            if runner.epoch == 1:
                for group in runner.optim_wrapper.optimizer.param_groups:
                    group['lr'] = 2.0

        def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
            if runner.epoch == 3 and batch_idx == 0:
                self.first = runner.model.backbone.conv1.weight.detach().clone()

    hook = Spoil()
    train(cfg, hook)
    best = max(range(3), key=lambda epoch: hook.scores[epoch])
    assert best < 2
    assert torch.equal(hook.first, hook.weights[best])
    kept = read_checkpoint(str(tmp_path / 'run' / 'best_of_one.pth'))
    assert kept['meta'] == dict(epoch=best + 1, stage='one', metric='all', score=hook.scores[best])
    assert not list((tmp_path / 'run').glob('*.part'))


EVERY_EPOCH: dict[str, Any] = {'train_cfg.val_interval': 1}
MIXUP = dict(augments=[dict(type='Mixup', alpha=1.0)])
WITHOUT_TEST: dict[str, Any] = dict(test_cfg=None, test_dataloader=None, test_evaluator=None)


@pytest.mark.parametrize(
    ('second', 'changes', 'message'),
    [
        (dict(freeze=['neck']), {}, r"'neck'\] freezes nothing|freeze='neck' freezes nothing.*GlobalAveragePooling"),
        (dict(head=dict(num_classes=12)), {}, 'num_classes=12, the one before 10'),
        (dict(head=dict(width=12)), {}, "'two'.*head cannot be built.*width"),
        (dict(loss=dict(type='mmdrl.LDAMLoss', num_classes=3)), {}, "'two'.*num_classes=3"),
        (dict(loss=dict(type='NoLoss')), {}, "'two'.*NoLoss"),
        (dict(optim_wrapper=dict(optimizer=dict(type='NoOptimizer'))), {}, "'two'.*NoOptimizer"),
        (dict(param_scheduler=[dict(type='NoSchedule')]), {}, "'two'.*NoSchedule"),
        (dict(pipeline=[dict(type='NoTransform')]), {}, "'two'.*pipeline.*NoTransform"),
        (dict(mixing=False), {}, 'mixing=False switches nothing off'),
        (dict(), {'model.data_preprocessor.batch_augments': MIXUP}, "'one' has the DR loss.*mixes images"),
        (dict(load_best='all'), EVERY_EPOCH, 'shows the test images'),
        (
            dict(load_best='all'),
            {**WITHOUT_TEST, **EVERY_EPOCH, 'val_dataloader.dataset.part': 'train'},
            'shows the training images',
        ),
        (
            dict(load_best='top1'),
            {**WITHOUT_TEST, **EVERY_EPOCH},
            "'top1', but validation measures all, balanced, .*, ncm/all",
        ),
        (dict(load_best='all'), {**WITHOUT_TEST, 'train_cfg.val_begin': 2}, 'validation in stage .one., epochs 1 to 1'),
        (dict(head=LWS), dict(custom_hooks=[dict(type='EMAHook')]), 'EMAHook'),
    ],
)
def test_stage_that_does_not_fit_the_run_stops_before_training(
    tmp_path: Path, second: dict, changes: dict, message: str
) -> None:
    cfg = short_config(tmp_path / 'run', two(**second), **changes)
    cfg.experiment_name = tmp_path.name  # MMEngine keeps loggers and visualisers by name
    with pytest.raises(ConfigError, match=message):
        train_model(cfg)
    assert not (tmp_path / 'run').exists()


def test_log_scalars_and_results_name_the_stage(tmp_path: Path) -> None:
    import json

    cfg = short_config(tmp_path / 'run', two(), log_level='INFO')
    cfg.default_hooks.logger.interval = 2
    cfg.train_cfg.val_interval = 1
    runner = train(cfg)
    rows = [json.loads(line) for line in Path(runner.log_dir, 'vis_data/scalars.json').read_text().splitlines()]
    stages = [(row['epoch'], row['stage']) for row in rows if 'loss_cls' in row]
    assert set(stages) == {(1, 1), (2, 2)}
    assert [row['stage'] for row in rows if 'few' in row] == [1, 2]
    text = Path(runner.log_dir, f'{runner.timestamp}.log').read_text()
    for mode, stage in (('train', 'one'), ('train', 'two'), ('val', 'one'), ('val', 'two')):
        assert any(f'Epoch({mode})' in line and f']  {stage}  ' in line for line in text.splitlines())
    results = json.loads((tmp_path / 'run/results.json').read_text())
    assert list(results['stages']) == ['one', 'two']
    assert results['stages']['two'] == results['metrics']


def test_resuming_without_the_file_of_the_best_weights_says_so_at_once(tmp_path: Path) -> None:
    stages = [dict(name='one', epochs=2), dict(name='two', epochs=1, load_best='all')]
    cfg = short_config(tmp_path / 'run', stages, **EVERY_EPOCH, **WITHOUT_TEST)
    cfg.default_hooks.checkpoint.max_keep_ckpts = 3
    train(cfg)
    (tmp_path / 'run/best_of_one.pth').unlink()
    again = short_config(tmp_path / 'run', stages, **EVERY_EPOCH, **WITHOUT_TEST, resume=True)
    again.load_from = str(tmp_path / 'run/epoch_2.pth')
    with pytest.raises(DataError, match=r"best weights of stage 'one' at .*best_of_one.pth"):
        train(again)
    again.load_from = str(tmp_path / 'run/epoch_3.pth')  # they have been used by then
    assert train(again).epoch == 3


@pytest.mark.parametrize('loss', [dict(type='mmdrl.LDAMLoss'), dict(type='SeesawLoss')])
def test_averaged_model_follows_the_losses_of_the_stages(tmp_path: Path, loss: dict) -> None:
    stages = [*two(loss=loss), dict(name='three', epochs=1)]
    cfg = short_config(tmp_path / 'run', stages, custom_hooks=[dict(type='EMAHook', momentum=0.5)])
    cfg.default_hooks.checkpoint.max_keep_ckpts = 3
    runner = train(cfg)
    averaged = next(hook.ema_model.module for hook in runner.hooks if type(hook).__name__ == 'EMAHook')
    names = [name for name, _ in runner.model.named_buffers()]
    assert [name for name, _ in averaged.named_buffers()] == names
    counts = [120, 77, 50, 32, 21, 13, 8, 5, 3, 2]
    assert averaged.head.class_counts.tolist() == counts
    again = short_config(tmp_path / 'run', stages, custom_hooks=[dict(type='EMAHook', momentum=0.5)], resume=True)
    again.load_from = str(tmp_path / 'run/epoch_2.pth')
    resumed = train(again).model.state_dict()
    assert all(torch.equal(resumed[name], value) for name, value in runner.model.state_dict().items())


def test_loss_that_a_stage_has_put_aside_keeps_what_it_has_gathered_through_a_resume(tmp_path: Path) -> None:
    stages = [*two(loss=dict(type='CrossEntropyLoss')), dict(name='three', epochs=1)]
    settings: dict[str, Any] = {'model.head.loss': dict(type='SeesawLoss', num_classes=10, _delete_=True)}
    cfg = short_config(tmp_path / 'run', stages, **settings)
    cfg.default_hooks.checkpoint.max_keep_ckpts = 3
    whole = train(cfg).model.head.loss_module.cum_samples
    again = short_config(tmp_path / 'run', stages, **settings, resume=True)
    again.load_from = str(tmp_path / 'run/epoch_2.pth')
    assert torch.equal(train(again).model.head.loss_module.cum_samples, whole)
    assert whole.sum() > 500  # of the first stage and the last
