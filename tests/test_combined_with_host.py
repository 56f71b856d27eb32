"""Parts of ours beside what users of MMPretrain combine with them, and in a head of their own."""

from pathlib import Path

import pytest
import torch
from foreign_networks import CONVNEXT, FITTING, batch, build, make_runner
from mmengine.runner import Runner
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from mmdrl.engine.build import start
from mmdrl.errors import ConfigError, DataError
from mmdrl.models import ClassCentroids, ClassStatistics, DRLoss, KeepsClassCounts

pytestmark = [pytest.mark.slow, pytest.mark.host]


def test_averaged_weights_of_the_host_validate_with_centroids(tmp_path: Path) -> None:
    """``EMAHook`` swaps its copy in for validation and checkpoint; that has the centroids too."""
    runner = make_runner(tmp_path, 'resnet', custom_hooks=[dict(type='EMAHook', momentum=0.5)])
    runner.train()
    hook = next(hook for hook in runner.hooks if type(hook).__name__ == 'EMAHook')
    averaged = hook.ema_model.module.head
    assert torch.equal(averaged.centroids.centroids, runner.model.head.centroids.centroids)
    assert averaged.centroids.is_seen.all()
    assert 0 <= runner.message_hub.get_scalar('val/all').current() <= 100


def test_repeated_augmentation_counts_every_image_once(tmp_path: Path) -> None:
    sampler = dict(_delete_=True, type='RepeatAugSampler')
    runner = make_runner(tmp_path, 'resnet', train_dataloader=dict(sampler=sampler))
    model = runner.train()
    assert model.head.class_counts.tolist() == [4, 2, 2]


def test_mixed_batches_are_refused_under_the_loss(tmp_path: Path) -> None:
    augments = dict(train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)]))
    runner = make_runner(tmp_path, 'resnet', model=augments)
    with pytest.raises(ConfigError, match=r'one label per sample, got mixed labels.*Remove mixup/cutmix'):
        runner.train()


def test_a_neck_that_pools_what_is_pooled_ends_in_a_sentence(tmp_path: Path) -> None:
    """What happens to who swaps a ResNet for ConvNeXt and nothing else."""
    runner = make_runner(tmp_path, 'resnet', model=dict(backbone=dict(CONVNEXT, _delete_=True)))
    with pytest.raises(ConfigError, match=r'Does the backbone pool by itself.*model\.neck=None'):
        start(runner.train, runner)


def test_several_labels_per_image_are_refused() -> None:
    model = build(*FITTING['resnet'])
    images, _ = batch()
    with pytest.raises(DataError, match='one label per sample, got 2'):
        model.loss(images, [DataSample().set_gt_label([0, 1]) for _ in images])


@MODELS.register_module()
class OwnHead(LinearClsHead, KeepsClassCounts):
    """A head of a project's own, from parts of ours."""

    def __init__(self, num_classes: int, in_channels: int, mode: str = 'running'):
        super().__init__(num_classes, in_channels)
        self.dr_loss = DRLoss(num_classes)
        self.centroids = ClassCentroids(num_classes, in_channels, mode=mode)
        self.init_class_counts(num_classes, persistent=True)

    def loss(self, feats: tuple[torch.Tensor, ...], data_samples: list[DataSample]) -> dict[str, torch.Tensor]:
        features = self.pre_logits(feats)
        labels = torch.cat([sample.gt_label for sample in data_samples])
        known = self.centroids
        statistics = ClassStatistics(self.known_class_counts(), known.spreads)
        losses = super().loss(feats, data_samples)
        losses['loss_dr'] = self.dr_loss(features, labels, known.centroids, statistics, known.is_seen)
        known.update(features, labels)
        return losses


LINEAR = [dict(type='mmdrl.ShotAccuracy', many=3, few=3)]


def own_runner(folder: Path, mode: str = 'running') -> Runner:
    head = dict(_delete_=True, type='OwnHead', num_classes=3, in_channels=64, mode=mode)
    return make_runner(folder, 'resnet', val_evaluator=LINEAR, model=dict(head=head))


def test_hooks_serve_the_parts_in_a_head_of_ones_own(tmp_path: Path) -> None:
    runner = own_runner(tmp_path)
    head = runner.train().head
    assert head.class_counts.tolist() == [4, 2, 2]
    assert head.centroids.is_seen.all()
    assert runner.message_hub.get_scalar('train/loss_dr').current() > 0


def test_a_head_of_ones_own_needs_the_hooks_too(tmp_path: Path) -> None:
    """Without centroids its loss would stay at 0, and nobody would notice."""
    runner = own_runner(tmp_path)
    runner._hooks = [hook for hook in runner.hooks if type(hook).__name__ != 'CentroidHook']
    with pytest.raises(ConfigError, match=r"needs two hooks.*centroids=dict\(type='mmdrl.CentroidHook'\)"):
        runner.train()


def test_hooks_may_be_of_a_projects_own_kind(tmp_path: Path) -> None:
    runner = own_runner(tmp_path)
    for hook in runner.hooks:
        if type(hook).__name__ in ('ClassCountsHook', 'CentroidHook'):
            hook.__class__ = type(f'Own{type(hook).__name__}', (type(hook),), {})
    assert runner.train().head.centroids.is_seen.all()


def test_a_clean_pass_wants_drhead(tmp_path: Path) -> None:
    runner = own_runner(tmp_path, 'epoch')
    with pytest.raises(ConfigError, match=r"mode 'epoch'.*Take mode 'running' or 'ema'"):
        runner.train()
