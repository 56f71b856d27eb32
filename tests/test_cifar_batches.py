"""CIFAR-LT as its configs have it, in whole batches, against the same images one by one, in the same distribution."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command import ROOT
from miniature_cifar import write_arrays
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.runner import Runner
from torch import Tensor

from mmdrl.batch_samples import BatchSamples
from mmdrl.engine.config import load_config
from mmdrl.engine.loops.image_seeds import seed_images

CONFIG = str(ROOT / 'configs/cifar10_lt/{}_r32_cifar10-lt-ir100.py')
CLASSES, PER_CLASS, EPOCHS = 10, 40, 6
CROP_FLIP = [
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
]
# The transforms per image that recipes for small long-tailed images share.
ONE_BY_ONE = {
    'ce-plain': CROP_FLIP,
    'ce': [
        *CROP_FLIP,
        dict(type='mmdrl.AutoAugmentPolicy', policy='cifar10', channel_order='bgr'),
        dict(type='mmdrl.SquareCutout', length=16),
    ],
}


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images that are bright in one corner, each in another colour, so that every augmentation shows in their mean."""
    folder = tmp_path_factory.mktemp('cifar')
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 1, 32)
    corner = (ramp[:, None, None] * 120 + ramp[None, :, None] * 60) * np.array([1.0, 0.7, 0.4])
    for split, per_class in (('train', PER_CLASS), ('test', 3)):
        labels = rng.permutation(np.repeat(np.arange(CLASSES), per_class))
        noise = rng.normal(0, 12, (len(labels), 32, 32, 3)) + rng.uniform(20, 60, (len(labels), 1, 1, 3))
        images = (corner + noise).clip(0, 255).astype(np.uint8)
        write_arrays(folder, CLASSES, split, images, labels)
    return folder


def config(root: Path, method: str, one_by_one: bool = False) -> Config:
    cfg = load_config(CONFIG.format(method))
    cfg.train_dataloader.dataset.update(imbalance_ratio=4)
    cfg.train_dataloader.dataset.dataset.update(data_root=str(root), check_numbers=False)
    cfg.val_dataloader.dataset.update(data_root=str(root), check_numbers=False)
    if one_by_one:
        cfg.data_preprocessor.augments = None
        cfg.train_dataloader.dataset.dataset.pipeline = [*ONE_BY_ONE[method], dict(type='PackInputs')]
        for name in ('train_dataloader', 'val_dataloader'):
            cfg[name].collate_fn = dict(type='pseudo_collate')
    return cfg


def seen(cfg: Config, name: str, epochs: int) -> tuple[Tensor, list[int], set[type]]:
    """What a network is shown in some epochs: images and labels in their order, and what held the labels."""
    loader = Runner.build_dataloader(cfg[name], seed=0)
    preprocessor: Any = MODELS.build(cfg.data_preprocessor)
    images, labels, kinds = [], [], set()
    for epoch in range(epochs):
        loader.sampler.set_epoch(epoch)
        seed_images(loader, 0, epoch)
        for batch in loader:
            batch = preprocessor(batch, name == 'train_dataloader')
            images.append(batch['inputs'])
            labels += [int(sample.gt_label) for sample in batch['data_samples']]
            kinds.add(type(batch['data_samples']))
    return torch.cat(images).double(), labels, kinds


def largest_deviation(first: Tensor, second: Tensor) -> tuple[float, float]:
    """Of means and of variances over the images, of any pixel and channel, in standard errors of the difference."""
    moments = []
    for images in (first, second):
        centred = images - images.mean(0)
        variance = centred.square().mean(0)
        of_variance = (centred.pow(4).mean(0) - variance.square()) / len(images)
        moments.append((images.mean(0), variance, variance / len(images), of_variance))
    (mean, variance, error, of_variance), (mean_2, variance_2, error_2, of_variance_2) = moments
    means = (mean - mean_2).abs() / (error + error_2).sqrt()
    variances = (variance - variance_2).abs() / (of_variance + of_variance_2).sqrt()
    return float(means.max()), float(variances.max())


@pytest.mark.slow
@pytest.mark.parametrize('method', ['ce-plain', 'ce'])
def test_images_have_mean_and_variance_of_those_augmented_one_by_one(root: Path, method: str) -> None:
    """3,072 pairs of numbers each; of as many independent ones of a normal law 1 % have any beyond 4.7 errors."""
    whole, labels, kinds = seen(config(root, method), 'train_dataloader', EPOCHS)
    single, expected, others = seen(config(root, method, one_by_one=True), 'train_dataloader', EPOCHS)
    assert (kinds, others) == ({BatchSamples}, {list})
    assert labels == expected
    assert len(set(map(str, np.array_split(labels, EPOCHS)))) == EPOCHS, 'an order of its own in every epoch'
    assert max(largest_deviation(whole, single)) < 4.7
    # And the measure would tell a step that is missing.
    for left_out in range(len(config(root, method).data_preprocessor.augments)):
        fewer = config(root, method)
        del fewer.data_preprocessor.augments[left_out]
        assert max(largest_deviation(seen(fewer, 'train_dataloader', EPOCHS)[0], single)) > 6, left_out


@pytest.mark.host
def test_validation_shows_the_very_images_in_the_same_order(root: Path) -> None:
    whole, labels, kinds = seen(config(root, 'ce'), 'val_dataloader', 1)
    single, expected, _ = seen(config(root, 'ce', one_by_one=True), 'val_dataloader', 1)
    assert kinds == {BatchSamples}
    assert labels == expected
    assert torch.equal(whole, single)


@pytest.mark.host
def test_images_are_the_same_from_workers_and_in_batches_of_another_size(root: Path) -> None:
    cfg = config(root, 'ce')
    expected, labels, _ = seen(cfg, 'train_dataloader', 2)
    cfg.train_dataloader.update(num_workers=2, batch_size=50)
    found, same_labels, _ = seen(cfg, 'train_dataloader', 2)
    assert torch.equal(found, expected)
    assert labels == same_labels
