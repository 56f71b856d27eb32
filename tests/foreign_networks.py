"""Small relatives of MMPretrain's networks under ``DRHead``, and a runner that trains one on noise."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

GAP = dict(type='GlobalAveragePooling')
RESNET = dict(type='ResNet', depth=18, stem_channels=8, base_channels=8)
CONVNEXT = dict(type='ConvNeXt', arch=dict(depths=[1, 1, 1, 1], channels=[8, 16, 24, 32]))
SWIN_ARCH = dict(embed_dims=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1])
SWIN = dict(type='SwinTransformer', arch=SWIN_ARCH, img_size=64, pad_small_map=True)
VIT_ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
VIT = dict(type='VisionTransformer', arch=VIT_ARCH, img_size=64, patch_size=16)
MIXER_ARCH = dict(embed_dims=16, num_layers=2, tokens_mlp_dims=8, channels_mlp_dims=16)


def two_layers(before: int, last: int) -> dict[str, Any]:
    return dict(in_channels=last, dr_layers=(-2, -1), dr_channels=(before, last))


# Backbone, neck, and what the head is told of them.
FITTING = {
    'resnet': (RESNET, GAP, dict(in_channels=64)),
    'resnet, generalised mean': (RESNET, dict(type='GeneralizedMeanPooling'), dict(in_channels=64)),
    'resnet, two layers': (dict(RESNET, out_indices=(2, 3)), GAP, two_layers(32, 64)),
    'resnet, chord': (RESNET, GAP, dict(in_channels=64, distance='chord')),
    'resnext': (
        dict(type='ResNeXt', depth=50, groups=4, width_per_group=2, stem_channels=8, base_channels=8),
        GAP,
        dict(in_channels=256),
    ),
    'hrnet': (
        dict(type='HRNet', arch='w18'),
        [dict(type='HRFuseScales', in_channels=(18, 36, 72, 144)), GAP],
        dict(in_channels=2048),
    ),
    'convnext': (CONVNEXT, None, dict(in_channels=32)),
    'convnext, two layers': (dict(CONVNEXT, out_indices=(2, 3)), None, two_layers(24, 32)),
    'swin': (SWIN, GAP, dict(in_channels=64)),
    'swin 2': (
        dict(
            type='SwinTransformerV2',
            arch=dict(SWIN_ARCH, extra_norm_every_n_blocks=0),
            img_size=64,
            window_size=2,
            pad_small_map=True,
        ),
        GAP,
        dict(in_channels=64),
    ),
    'swin, two layers': (dict(SWIN, out_indices=(2, 3)), GAP, two_layers(32, 64)),
    'vit, class token': (VIT, None, dict(in_channels=16)),
    'vit, class tokens of two blocks': (dict(VIT, out_indices=(0, 1)), None, two_layers(16, 16)),
    'vit, mean of patches': (dict(VIT, out_type='avg_featmap'), None, dict(in_channels=16)),
    'vit, map and pooling': (dict(VIT, out_type='featmap'), GAP, dict(in_channels=16)),
    'mixer': (
        dict(type='MlpMixer', arch=MIXER_ARCH, img_size=64, patch_size=16),
        dict(GAP, dim=1),
        dict(in_channels=16),
    ),
    'mobilenet': (dict(type='MobileNetV2', widen_factor=0.25), GAP, dict(in_channels=1280)),
    'mobilenet 3': (dict(type='MobileNetV3', arch='small_075'), GAP, dict(in_channels=432)),
    'efficientnet': (dict(type='EfficientNet', arch='b0'), GAP, dict(in_channels=1280)),
}


def build(
    backbone: dict[str, Any], neck: dict[str, Any] | list[dict[str, Any]] | None, told: dict[str, Any]
) -> nn.Module:
    torch.manual_seed(0)
    told = dict(told)
    radius = dict(type='mmdrl.CountRadius', scale=0.01)
    loss = dict(type='mmdrl.DRLoss', radius=radius, distance=told.pop('distance', 'euclidean'))
    head = dict(type='mmdrl.DRHead', num_classes=3, dr_loss=loss, **told)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(dict(type='ImageClassifier', backbone=backbone, neck=neck, head=head))
    model.head.set_class_counts([5, 3, 2])
    return model


def batch() -> tuple[torch.Tensor, list[DataSample]]:
    images = torch.randn(6, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    return images, [DataSample().set_gt_label(label % 3) for label in range(6)]


def make_runner(folder: Path, name: str, **changes: Any) -> Runner:
    """Two epochs of two iterations on noise."""
    rng = np.random.default_rng(0)
    np.savez(folder / 'noise.npz', images=rng.integers(0, 256, (8, 64, 64, 3), np.uint8), labels=[0, 1, 2, 0] * 2)
    backbone, neck, told = FITTING[name]
    loss = dict(type='mmdrl.DRLoss', radius=dict(type='mmdrl.CountRadius', scale=0.01))
    loader = dict(
        batch_size=4,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='mmdrl.ArrayDataset', data_file=str(folder / 'noise.npz'), pipeline=[dict(type='PackInputs')]
        ),
    )
    cfg = Config(
        dict(
            model=dict(
                type='ImageClassifier',
                backbone=backbone,
                neck=neck,
                head=dict(type='mmdrl.DRHead', num_classes=3, dr_loss=loss, **told),
                data_preprocessor=dict(num_classes=3, mean=[127.5] * 3, std=[70.0] * 3),
            ),
            train_dataloader=loader,
            val_dataloader=loader,
            val_evaluator=[dict(type='mmdrl.ShotAccuracy', classifier='ncm', many=3, few=3)],
            val_cfg=dict(),
            train_cfg=dict(by_epoch=True, max_epochs=2),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
            default_hooks=dict(
                class_counts=dict(type='mmdrl.ClassCountsHook'),
                centroids=dict(type='mmdrl.CentroidHook'),
                checkpoint=None,
            ),
            default_scope='mmpretrain',
            randomness=dict(seed=0),
            work_dir=str(folder / 'run'),
            log_level='WARNING',
            experiment_name=f'{folder.name}-{name}',
        )
    )
    cfg.merge_from_dict(changes)
    return Runner.from_cfg(cfg)
