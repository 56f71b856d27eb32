"""Steps in a row: an image is changed alike in any batch, nothing is read from a device, and mistakes are named."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmdrl.errors import ConfigError
from mmdrl.functional.augment import image_words
from mmdrl.models.preprocessors.augments import BATCH_TRANSFORMS, BatchAugmentation

sys.path.append(str(Path(__file__).parents[2] / 'benchmarks'))
from launches import Launches

STEPS = [
    dict(type='mmdrl.BatchCrop', size=32, padding=4, pad_value=(1, 2, 3)),
    dict(type='mmdrl.BatchFlip', prob=0.5, direction='horizontal'),
    dict(type='mmdrl.BatchAutoAugment', policy='cifar10', channel_order='bgr'),
    dict(type='mmdrl.BatchCutout', length=16),
]
OTHERS = [
    dict(type='BatchRandAugment', num_ops=3, fill=(4, 5, 6)),
    dict(type='BatchCrop', size=(28, 36), padding=(4, 0)),
    dict(type='BatchAutoAugment', policy='svhn', fill=7),
    dict(type='BatchFlip', prob=0.7, direction=['vertical', 'diagonal']),
    dict(type='BatchErasing', mode='rand'),
    dict(type='BatchCrop', size=24),
]

PADDED = [
    dict(type='BatchCrop', size=36, padding=4, pad_value=1),
    dict(type='BatchCrop', size=44, padding=6, pad_value=(9, 8, 7)),
    dict(type='BatchFlip'),
    dict(type='BatchAutoAugment', policy='svhn', fill=200),
]


@pytest.fixture
def images(rng: np.random.Generator) -> torch.Tensor:
    smooth = rng.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    return torch.from_numpy(smooth // 2 + rng.integers(0, 120, smooth.shape, dtype=np.uint8))


@pytest.fixture
def seeds(images: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(image_words(np.array([5]), len(images), 0)[0].view(np.int64).copy())


@pytest.mark.parametrize('steps', [STEPS, OTHERS, *([step] for step in OTHERS)])
def test_image_is_changed_alike_whatever_the_batch(
    steps: list[dict[str, Any]], images: torch.Tensor, seeds: torch.Tensor
) -> None:
    augment = BatchAugmentation(steps)
    before = images.clone()
    result = augment(images, seeds)
    assert torch.equal(images, before)
    assert (result.dtype, len(result), result.shape[3]) == (torch.uint8, len(images), 3)
    order = torch.randperm(len(images))
    assert torch.equal(augment(images[order], seeds[order]), result[order])
    for part in (slice(0, 1), slice(7, 31)):
        assert torch.equal(BatchAugmentation(steps)(images[part], seeds[part]), result[part])
    planar = images.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    assert torch.equal(augment(planar, seeds), result)
    assert len({image.numpy().tobytes() for image in result}) == len(images)
    assert not torch.equal(augment(images, seeds + 1), result)


def test_steps_have_numbers_of_their_own(seeds: torch.Tensor) -> None:
    """The same step twice: were their numbers the same, both squares would be one."""
    white = torch.full((60, 32, 32, 1), 255, dtype=torch.uint8)
    twice = BatchAugmentation([dict(type='BatchCutout', length=8)] * 2)(white, seeds)
    assert (twice == 0).sum((1, 2, 3)).float().mean() > 80


def test_steps_one_by_one_are_the_steps_in_a_row(images: torch.Tensor, seeds: torch.Tensor) -> None:
    """What is written down until pixels are needed comes to the same as pixels made after every step."""
    for steps in (STEPS, OTHERS, PADDED):
        augment = BatchAugmentation(steps)
        result = images
        for stream, step in enumerate(augment.steps):
            one = BatchAugmentation([])
            one.steps = [lambda canvas, given, _, step=step, stream=stream: step(canvas, given, stream)]
            result = one(result, seeds)
        assert torch.equal(augment(images, seeds), result)


def test_images_of_any_size_come_and_go() -> None:
    """A step keeps what it needs for the last few sizes only."""
    augment = BatchAugmentation([dict(type='BatchAutoAugment', policy='svhn')])
    batches = [torch.arange(20 * size * 9).remainder(256).byte().view(20, size, 9, 1) for size in range(7, 20)]
    first = [augment(batch, torch.arange(20)) for batch in batches]
    for batch, result in zip(reversed(batches), reversed(first), strict=True):
        assert torch.equal(augment(batch, torch.arange(20)), result)
    assert len(augment.steps[0].catalogues) == 8


@pytest.mark.parametrize('steps', [STEPS, OTHERS])
def test_no_value_is_read_from_the_device(steps: list[dict[str, Any]], seeds: torch.Tensor) -> None:
    result = BatchAugmentation(steps)(torch.empty(60, 32, 32, 3, dtype=torch.uint8, device='meta'), seeds)
    assert result.shape == (60, 32, 32, 3) if steps is STEPS else (60, 24, 24, 3)


def test_launches_do_not_grow_with_the_batch() -> None:
    """On a GPU a batch of small images takes as long as its launches: copies to it count, changes of shape do not."""
    for size in (512, 2048):
        images = torch.empty(size, 32, 32, 3, dtype=torch.uint8, device='meta')
        augment = BatchAugmentation(STEPS)
        augment(images, torch.arange(size))  # what is made once
        with Launches() as counter:
            augment(images, torch.arange(size))
        assert 50 < counter.calls.total() <= 136


def test_empty_batch_and_no_steps_are_given_back(images: torch.Tensor, seeds: torch.Tensor) -> None:
    assert BatchAugmentation(STEPS)(images[:0], seeds[:0]).shape == (0, 32, 32, 3)
    assert BatchAugmentation([])(images, seeds) is images


@pytest.mark.host
def test_names_are_found_from_configs_of_any_scope(caplog: pytest.LogCaptureFixture) -> None:
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        for config in (dict(type='mmdrl.BatchFlip'), dict(type='BatchFlip', _scope_='mmdrl')):
            (step,) = BatchAugmentation([Config(dict(steps=[config])).steps[0]]).steps
            assert type(step) is BATCH_TRANSFORMS.get('BatchFlip')
    assert not caplog.records


MISTAKES = [
    (dict(type='BatchCrop', size=0), 'size must be a whole number of at least 1, got 0'),
    (dict(type='BatchCrop', size=(1, 2, 3)), 'size'),
    (dict(type='BatchCrop', size=8, padding=(1, 2, 3)), 'padding'),
    (dict(type='BatchCrop', size=8, padding=-1), 'padding'),
    (dict(type='BatchCrop', size=8, pad_value=256), 'pad_value'),
    (dict(type='BatchCrop', size=8, pad_value=float('nan')), 'pad_value'),
    (dict(type='BatchCrop', crop_size=8), 'BatchCrop: .*crop_size'),
    (dict(type='BatchFlip', prob=1.5), 'prob must be a number from 0 to 1'),
    (dict(type='BatchFlip', prob=[0.5, 0.6], direction=['vertical', 'diagonal']), 'together at most 1'),
    (dict(type='BatchFlip', prob=[0.5, 0.1]), 'one for each of 1'),
    (dict(type='BatchFlip', direction='left'), 'direction must be one of horizontal'),
    (dict(type='BatchFlip', direction=[]), 'direction'),
    (dict(type='BatchFlip', direction=3), 'direction'),
    (dict(type='BatchAutoAugment', policy='cifar'), 'policy must be one of'),
    (dict(type='BatchAutoAugment', fill=300), 'fill'),
    (dict(type='BatchAutoAugment', channel_order='hsv'), 'channel_order'),
    (dict(type='BatchRandAugment', magnitude=31), 'magnitude must be a whole number from 0 to 30'),
    (dict(type='BatchRandAugment', num_ops=1.0), 'num_ops'),
    (dict(type='BatchRandAugment', num_magnitude_bins=1), 'num_magnitude_bins'),
    (dict(type='BatchCutout', length=15), 'length must be an even'),
    (dict(type='BatchErasing', min_area_ratio=0.5), 'at most max_area_ratio'),
    (dict(type='BatchErasing', aspect_range=(2.0, 1.0)), 'aspect_range'),
    (dict(type='BatchErasing', mode='noise'), 'mode'),
    (dict(type='BatchErasing', mode='rand', fill_std=-1), 'fill_std'),
    (dict(type='mmdrl.BatchFlop'), 'There are mmdrl.BatchAutoAugment'),
    (dict(type='mmpretrain.RandomFlip'), 'belongs into the pipeline'),
    (dict(prob=0.5), 'must be a dict'),
    ('BatchFlip', 'must be a dict'),
]


@pytest.mark.faults
@pytest.mark.parametrize(('step', 'message'), MISTAKES)
def test_mistake_in_a_step_is_named(step: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BatchAugmentation([step])


@pytest.mark.faults
def test_images_that_a_step_cannot_take_are_named() -> None:
    images, seeds = torch.zeros(2, 8, 8, 2, dtype=torch.uint8), torch.arange(2)
    for step in (
        dict(type='BatchAutoAugment'),
        dict(type='BatchRandAugment'),
        dict(type='BatchCrop', size=8, pad_value=(1, 2, 3)),
        dict(type='BatchErasing', fill_color=(1, 2, 3)),
    ):
        with pytest.raises(ConfigError, match='channels'):
            BatchAugmentation([step])(images, seeds)
    augment = BatchAugmentation([dict(type='BatchFlip')])
    for given in (images.float(), images[0]):
        with pytest.raises(ValueError, match='uint8 images'):
            augment(given, seeds)
    for given in (seeds[:1], seeds.int(), seeds.to('meta')):
        with pytest.raises(ValueError, match='a seed for each of 2 images'):
            augment(images, given)
    with pytest.raises(ValueError, match='2147483648 values'):
        augment(torch.empty(2**19, 32, 64, 2, dtype=torch.uint8, device='meta'), torch.arange(2**19))
