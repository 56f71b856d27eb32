"""Optimisers and schedules where stages freeze, or have epochs of different lengths."""

import math
from pathlib import Path
from typing import Any

import pytest
from digits_run import short_config, train
from mmengine.hooks import Hook

from mmdrl.engine.run import train_model
from mmdrl.errors import ConfigError

LONG = dict(type='mmdrl.ClassAwareSampler', num_samples=640)  # 20 iterations, the run's own sampler gives 11


class Rates(Hook):
    """Notes rate and weights of each iteration, by epoch."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.weights: list[Any] = []

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        self.rates.append(runner.optim_wrapper.optimizer.param_groups[0]['lr'])

    def after_train_epoch(self, runner: Any) -> None:
        self.weights.append(runner.model.backbone.conv1.weight.detach().clone())


def rates_of(cfg: Any) -> list[float]:
    rates = Rates()
    train(cfg, rates)
    return rates.rates


def cosine(rate: float, steps: int) -> list[float]:
    return [rate * (1 + math.cos(math.pi * step / steps)) / 2 for step in range(steps)]


def test_what_thaws_learns_though_the_optimiser_was_made_while_it_was_frozen(tmp_path: Path) -> None:
    stages = [dict(name='a', epochs=1, freeze=['backbone'], lr=0.05), dict(name='b', epochs=1)]
    cfg = short_config(tmp_path / 'run', stages)
    cfg.optim_wrapper.paramwise_cfg = dict(custom_keys=dict(backbone=dict(lr_mult=0.5)))
    notes = Rates()
    runner = train(cfg, notes)
    assert not notes.weights[0].equal(notes.weights[1])
    own = runner.model.backbone.conv1.weight
    groups = [group for group in runner.optim_wrapper.optimizer.param_groups if group['params'][0] is own]
    assert [group['lr'] for group in groups] == [0.025]


@pytest.mark.parametrize('schedule', [dict(by_epoch=False), dict(by_epoch=True, convert_to_iter_based=True)])
def test_schedule_by_iterations_ends_with_its_stage(tmp_path: Path, schedule: dict) -> None:
    second = dict(name='b', epochs=2, sampler=LONG, lr=0.1, param_scheduler=dict(type='CosineAnnealingLR', **schedule))
    rates = rates_of(short_config(tmp_path / 'run', [dict(name='a', epochs=1), second, dict(name='c', epochs=1)]))
    assert rates[11:51] == pytest.approx(cosine(0.1, 40))
    assert rates[51:] == pytest.approx([rates[50]] * 11)  # stays where it has come to


def test_schedule_of_the_run_by_iterations_ends_with_the_run(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'run', [dict(name='a', epochs=1), dict(name='b', epochs=2, sampler=LONG)])
    cfg.param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=False)]
    assert rates_of(cfg) == pytest.approx(cosine(0.1, 11 + 40))


@pytest.mark.parametrize(('end', 'is_refused'), [(2, True), (1, False)])
def test_converted_schedule_needs_epochs_of_one_length(tmp_path: Path, end: int, is_refused: bool) -> None:
    cfg = short_config(tmp_path / 'run', [dict(name='a', epochs=1), dict(name='b', epochs=1, sampler=LONG)])
    cfg.param_scheduler = [dict(type='LinearLR', start_factor=0.1, convert_to_iter_based=True, end=end)]
    if is_refused:
        with pytest.raises(ConfigError, match=r'convert_to_iter_based counts 11 .* have 20'):
            train_model(cfg)
        assert not (tmp_path / 'run').exists()
    else:
        rates = rates_of(cfg)
        assert rates[0] == pytest.approx(0.01)
        assert rates[-1] == pytest.approx(0.1)
