"""Centroids of mode 'epoch': exact means over the clean training set, however training draws and augments it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from digits_run import short_config, train
from mmengine.config import Config
from mmengine.hooks import Hook
from torch.testing import assert_close

from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.features import extract_features, visit_features
from mmdrl.errors import ConfigError, DivergenceError

ONE_STAGE = [dict(name='only', epochs=2)]
NOISY = [dict(type='RandomCrop', crop_size=8, padding=3), dict(type='PackInputs')]
COUNTS = torch.tensor([120, 77, 50, 32, 21, 13, 8, 5, 3, 2])


def exact(folder: Path, stages: list[dict[str, Any]] = ONE_STAGE, **changes: Any) -> Config:
    cfg = short_config(folder, stages, **{'model.head.centroids.mode': 'epoch', **changes})
    cfg.train_dataloader.dataset.dataset.pipeline = NOISY
    return cfg


def clean_moments(runner: Any, cfg: Config) -> tuple[torch.Tensor, torch.Tensor]:
    """Oracle: class means and spreads of the features of the clean set, image by image, with the saved weights."""
    saved = read_checkpoint(f'{cfg.work_dir}/epoch_2.pth')['state_dict']
    runner.model.load_state_dict(saved)
    config = dict(cfg.train_dataloader.dataset)
    config['dataset'] = {**config['dataset'], 'pipeline': [dict(type='PackInputs')]}
    loader = dict(batch_size=50, num_workers=0, dataset=config, sampler=dict(type='DefaultSampler', shuffle=False))
    features, labels = extract_features(runner.model, runner.build_dataloader(loader))
    assert torch.equal(labels.bincount(), COUNTS)
    own = [features[labels == label] for label in range(10)]
    means = torch.stack([rows.mean(dim=0) for rows in own])
    spreads = [(rows - rows.mean(dim=0)).square().sum(dim=1).mean().sqrt() for rows in own]
    return means, torch.stack(spreads)


@pytest.mark.parametrize('sampler', [None, dict(type='mmdrl.ClassAwareSampler', num_samples=64)])
def test_centroids_are_the_class_means_of_the_clean_set_under_the_saved_weights(
    tmp_path: Path, sampler: dict | None
) -> None:
    cfg = exact(tmp_path / 'run', [dict(name='only', epochs=2, sampler=sampler)])
    runner = train(cfg)
    saved = read_checkpoint(f'{cfg.work_dir}/epoch_2.pth')['state_dict']
    means, spreads = clean_moments(runner, cfg)
    assert_close(saved['head.centroids.centroids'], means, rtol=1e-5, atol=1e-6)
    assert_close(saved['head.centroids.variances'].sqrt(), spreads, rtol=1e-4, atol=1e-5)
    assert not any('sums' in name for name in saved)


def test_training_set_is_as_it_was_and_the_pass_draws_no_random_number(tmp_path: Path) -> None:
    class Batches(Hook):
        def __init__(self) -> None:
            self.seen: list[torch.Tensor] = []

        def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
            self.seen.append(data_batch['inputs'].clone())

    exactly, running = Batches(), Batches()
    runner = train(exact(tmp_path / 'exact'), exactly)
    train(exact(tmp_path / 'running', **{'model.head.centroids.mode': 'running'}), running)
    assert all(torch.equal(one, other) for one, other in zip(exactly.seen, running.seen, strict=True))
    steps = runner.train_dataloader.dataset.dataset.pipeline.transforms
    assert [type(step).__name__ for step in steps] == ['RandomCrop', 'PackInputs']


def test_loss_runs_from_the_first_step_and_resuming_makes_no_further_pass(tmp_path: Path) -> None:
    class Missing(Hook):
        priority = 'LOWEST'

        def __init__(self) -> None:
            self.classes: list[float] = []
            self.first: torch.Tensor | None = None

        def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
            self.classes.append(float(outputs['dr_classes_without_centroid']))
            if self.first is None:
                self.first = runner.model.head.centroids.centroids.clone()

    witness = Missing()
    train(exact(tmp_path / 'run'), witness)
    assert not any(witness.classes)
    stages = [dict(name='only', epochs=1), dict(name='more', epochs=1)]
    cut = train(exact(tmp_path / 'cut', stages), Missing())
    (tmp_path / 'cut/epoch_2.pth').unlink()
    (tmp_path / 'cut/last_checkpoint').write_text(str(tmp_path / 'cut/epoch_1.pth'))
    saved = read_checkpoint(str(tmp_path / 'cut/epoch_1.pth'))['state_dict']
    resumed = Missing()
    again = train(exact(tmp_path / 'cut', stages, resume=True), resumed)
    assert torch.equal(resumed.first, saved['head.centroids.centroids'])
    assert again.epoch == cut.epoch == 2


def test_run_from_the_weights_of_another_begins_with_a_pass_of_its_own(tmp_path: Path) -> None:
    """The centroids that came along may be those of another mode, other weights, or another data set."""

    class First(Hook):
        def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
            if runner.iter == 0:
                self.centroids = runner.model.head.centroids.centroids.clone()

    cfg = exact(tmp_path / 'first')
    means, _ = clean_moments(train(cfg), cfg)
    path = f'{cfg.work_dir}/epoch_2.pth'
    content = torch.load(path, weights_only=False)
    content['state_dict']['head.centroids.centroids'] += 1.0
    torch.save(content, path)
    first = First()
    train(exact(tmp_path / 'second', load_from=path), first)
    assert_close(first.centroids, means, rtol=1e-5, atol=1e-6)


def test_layers_of_the_loss_get_exact_centroids_too(tmp_path: Path) -> None:
    cfg = exact(tmp_path / 'run')
    cfg.model.backbone.out_indices = (1, 2)
    cfg.model.head.update(dr_layers=(-2, -1), dr_channels=(32, 64), dr_projection=(16,))
    runner = train(cfg)
    for layer in runner.model.head.dr_layers:
        assert layer.centroids.is_seen.all()
        assert layer.centroids.centroids.shape == (10, 16)


def test_loop_that_counts_iterations_makes_its_pass_at_intervals(tmp_path: Path) -> None:
    cfg = exact(tmp_path / 'run')
    del cfg.default_hooks.stages
    cfg.train_cfg = dict(by_epoch=False, max_iters=4, val_interval=4)
    cfg.param_scheduler = None
    cfg.default_hooks.centroids.interval = 2
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=2)
    train(cfg)
    states = [read_checkpoint(str(tmp_path / f'run/iter_{step}.pth'))['state_dict'] for step in (2, 4)]
    first, second = (state['head.centroids.centroids'] for state in states)
    assert not torch.equal(first, second)


def test_pipeline_of_the_hook_goes_before_that_of_the_validation_set(tmp_path: Path) -> None:
    plain = train(exact(tmp_path / 'plain')).model.head.centroids.centroids
    cfg = exact(tmp_path / 'flipped')
    flip = dict(type='RandomFlip', prob=1.0, direction='vertical')
    cfg.default_hooks.centroids.pipeline = [flip, dict(type='PackInputs')]
    cfg.model.head.dr_loss = None  # the weights are those of the first run only if no loss uses the centroids
    flipped = train(cfg).model.head.centroids.centroids
    assert flipped.isfinite().all()
    assert (flipped - plain).norm() > 0.1 * plain.norm()


def test_run_without_any_clean_pipeline_does_not_start(tmp_path: Path) -> None:
    cfg = exact(tmp_path / 'run')
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    with pytest.raises(ConfigError, match=r'validation set.*CentroidHook.*pipeline'):
        train(cfg)
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_misspelt_transform_is_refused_before_training(tmp_path: Path) -> None:
    cfg = exact(tmp_path / 'run')
    cfg.default_hooks.centroids.pipeline = [dict(type='Flop')]
    with pytest.raises(ConfigError, match=r'pipeline.*Flop'):
        train(cfg)
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_divergence_during_the_pass_leaves_the_last_checkpoint_alone(tmp_path: Path) -> None:
    class Poison(Hook):
        priority = 'NORMAL'

        def after_train_epoch(self, runner: Any) -> None:
            if runner.epoch == 1:
                runner.model.backbone.layer3[0].bn2.weight.data.fill_(3e38)  # finite, and features are not

    with pytest.raises(DivergenceError, match='layer -1'):
        train(exact(tmp_path / 'run'), Poison())
    assert [path.name for path in (tmp_path / 'run').glob('*.pth')] == ['epoch_1.pth']


def test_pass_leaves_every_part_in_the_mode_it_was_in(tmp_path: Path) -> None:
    runner = train(exact(tmp_path / 'run'))
    model = runner.model.train()
    model.backbone.layer1.eval()
    before = [module.training for module in model.modules()]
    visit_features(model, runner.val_dataloader, lambda feats, labels: None)
    assert [module.training for module in model.modules()] == before
    assert len(set(before)) == 2
