"""Plans that do not fit the model, and what a stage leaves out because of its losses."""

from pathlib import Path
from typing import Any

import pytest
from digits_run import STAGES, short_config, train
from mmengine.hooks import Hook

from mmdrl.errors import ConfigError


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(freeze=['backbone.layer9']), r'layer9.*backbone'),
        (dict(reset=['classifier']), 'classifier.*head'),
        (dict(loss_weights=dict(loss_kl=1.0)), 'loss_cls.*loss_kl'),
        (dict(epochs=3), 'max_epochs'),
        (dict(freeze=['*']), 'nothing to learn'),
        (dict(freeze=['head.centroids']), 'centroids.*freezes nothing'),
        (dict(freeze=['data_preprocessor']), 'freezes nothing'),
        (dict(reset=['neck']), 'neck.*resets nothing'),
        (dict(loss_weights=dict(loss_cls=0.0, loss_dr=0.0)), 'nothing to learn from'),
        (dict(optim_wrapper=dict(optimizer=3)), "'classifier': optim_wrapper must hold.*3"),
        (dict(optim_wrapper=dict(accumulative_counts=0)), "'classifier'.*accumulative_counts"),
        (dict(sampler=dict(type='NoSampler')), "'classifier': the sampler does not fit.*NoSampler"),
        (dict(pipeline=[dict(type='RandomFlip')]), "'classifier': the pipeline does not fit"),
        (dict(sampler=dict(type='mmdrl.ClassAwareSampler', samples_per_class=0)), 'samples_per_class'),
    ],
)
def test_plan_that_does_not_fit_the_model_stops_before_training(tmp_path: Path, change: dict, message: str) -> None:
    cfg = short_config(tmp_path / 'run', [STAGES[0], {**STAGES[2], **change}])
    cfg.train_cfg.max_epochs = 3
    with pytest.raises(ConfigError, match=message):
        train(cfg)
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_stage_without_the_dr_loss_freezes_radii_and_projections_of_all_layers(tmp_path: Path) -> None:
    class Learned(Hook):
        names: list[set[str]] = []

        def after_train_epoch(self, runner: Any) -> None:
            self.names.append({name for name, p in runner.model.named_parameters() if p.requires_grad})

    stages = [dict(name='a', epochs=1, loss_weights=dict(loss_dr=0.0)), dict(name='b', epochs=1)]
    cfg = short_config(tmp_path / 'run', stages)
    cfg.model.backbone.out_indices = (1, 2)
    cfg.model.head.update(dr_layers=(-2, -1), dr_channels=(32, 64), dr_projection=(16,))
    cfg.model.head.dr_loss.radius = dict(type='mmdrl.LearnedRadius')
    train(cfg, Learned())
    without, with_all = Learned.names
    parts = ('dr_loss.radius.raw', 'projection.0.weight', 'projection.0.bias')
    assert with_all - without == {f'head.dr_layers.{layer}.{part}' for layer in (0, 1) for part in parts}


def test_other_modules_may_use_the_name_loss_scale_otherwise(tmp_path: Path) -> None:
    class Scaled(Hook):
        def before_run(self, runner: Any) -> None:
            runner.model.backbone.loss_scale = 2.0
            runner.model.neck.loss_scale = {'loss_aux': 1.0}

    Scaled.priority = 'VERY_HIGH'
    stages = [dict(name='a', epochs=1, loss_weights=dict(loss_aux=0.5)), dict(name='b', epochs=1)]
    runner = train(short_config(tmp_path / 'run', stages), Scaled())
    assert runner.model.backbone.loss_scale == 2.0
    assert runner.model.neck.loss_scale == {'loss_aux': 1.0}
