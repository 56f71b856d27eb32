"""AutoAugment against torchvision itself, Cutout against the published rule written out."""

import numpy as np
import pytest
import torch
from mmpretrain.registry import TRANSFORMS
from PIL import Image
from torchvision.transforms import v2

from mmdrl.datasets import AutoAugmentPolicy, SquareCutout
from mmdrl.errors import ConfigError

SEEDS = range(60)  # more than the 25 pairs of operations


@pytest.fixture
def image(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)


def augmented(transform: AutoAugmentPolicy, image: np.ndarray, seed: int) -> np.ndarray:
    torch.manual_seed(seed)
    return transform({'img': image})['img']


def by_torchvision(policy: str, image: np.ndarray, seed: int, fill: int = 128) -> np.ndarray:
    torch.manual_seed(seed)
    return np.array(v2.AutoAugment(v2.AutoAugmentPolicy(policy), fill=fill)(Image.fromarray(image)))


@pytest.mark.parametrize('policy', ['cifar10', 'imagenet', 'svhn'])
def test_auto_augment_is_torchvisions_on_an_rgb_image(image: np.ndarray, policy: str) -> None:
    transform = AutoAugmentPolicy(policy, channel_order='rgb')
    results = [augmented(transform, image, seed) for seed in SEEDS]
    for seed, result in zip(SEEDS, results, strict=True):
        np.testing.assert_array_equal(result, by_torchvision(policy, image, seed))
    assert len({result.tobytes() for result in results}) > 20


def test_auto_augment_of_bgr_is_that_of_rgb_with_channels_turned(image: np.ndarray) -> None:
    of_rgb, of_bgr = AutoAugmentPolicy(channel_order='rgb'), AutoAugmentPolicy()
    for seed in SEEDS:
        result = augmented(of_bgr, np.ascontiguousarray(image[..., ::-1]), seed)
        assert result.flags.c_contiguous
        np.testing.assert_array_equal(result[..., ::-1], augmented(of_rgb, image, seed))


@pytest.mark.parametrize('shape', [(32, 32), (32, 32, 1)])
def test_auto_augment_keeps_shape_and_type_of_grey_images(image: np.ndarray, shape: tuple[int, ...]) -> None:
    grey = image[..., 0].reshape(shape)
    for seed in SEEDS:
        result = augmented(AutoAugmentPolicy(), grey, seed)
        assert (result.shape, result.dtype) == (shape, np.uint8)
        np.testing.assert_array_equal(result.reshape(32, 32), by_torchvision('cifar10', image[..., 0], seed))


def test_auto_augment_fills_with_the_value_given(image: np.ndarray) -> None:
    differs = 0
    for seed in SEEDS:
        result = augmented(AutoAugmentPolicy('svhn', fill=3, channel_order='rgb'), image, seed)
        np.testing.assert_array_equal(result, by_torchvision('svhn', image, seed, fill=3))
        differs += not np.array_equal(result, by_torchvision('svhn', image, seed))
    assert differs > 10


@pytest.mark.parametrize('transform', [AutoAugmentPolicy(), SquareCutout(16)], ids=repr)
def test_the_image_given_is_left_alone(image: np.ndarray, transform: AutoAugmentPolicy | SquareCutout) -> None:
    """It may be a view of the data set's own pixels."""
    image.setflags(write=False)
    sample = {'img': image, 'gt_label': 3}
    for seed in SEEDS:
        torch.manual_seed(seed)
        result = transform(sample)
        assert result['gt_label'] == 3
        result['img'][:] = 0
    assert sample['img'] is image


def test_configs_build_them_by_name() -> None:
    assert isinstance(TRANSFORMS.build(dict(type='mmdrl.AutoAugmentPolicy')), AutoAugmentPolicy)
    assert isinstance(TRANSFORMS.build(dict(type='mmdrl.SquareCutout', length=16)), SquareCutout)


@pytest.mark.parametrize('shape', [(32, 32, 3), (32, 32), (20, 40, 1)])
def test_cutout_overwrites_what_the_published_rule_does(rng: np.random.Generator, shape: tuple[int, ...]) -> None:
    image = rng.integers(0, 255, shape, dtype=np.uint8)
    for seed in SEEDS:
        np.random.seed(seed)
        y, x = np.random.randint(shape[0]), np.random.randint(shape[1])
        expected = image.copy()
        for row in range(shape[0]):
            for column in range(shape[1]):
                if y - 8 <= row < y + 8 and x - 8 <= column < x + 8:
                    expected[row, column] = 255
        np.random.seed(seed)
        np.testing.assert_array_equal(SquareCutout(16, fill=255)({'img': image})['img'], expected)


def test_cutout_of_16_takes_a_fifth_of_a_cifar_image_and_is_symmetric() -> None:
    """A side is 16 pixels long for 17 of 32 positions, 8 to 15 and 15 to 9 for the others: 14 in the mean."""
    np.random.seed(0)
    image = np.ones((32, 32), dtype=np.uint8)
    lost = np.mean([SquareCutout(16)({'img': image})['img'] == 0 for _ in range(8000)], axis=0)
    assert lost.sum() == pytest.approx(14**2, abs=4)
    assert lost[:16].sum() == pytest.approx(lost[16:].sum(), abs=6)


@pytest.mark.parametrize(
    ('make', 'words'),
    [
        (lambda: AutoAugmentPolicy('cifar100'), "policy must be one of cifar10, imagenet, svhn, got 'cifar100'"),
        (lambda: AutoAugmentPolicy(channel_order='RGB'), "channel_order must be one of bgr, rgb, got 'RGB'"),
        (lambda: AutoAugmentPolicy(fill=256), 'fill must be a whole number from 0 to 255, got 256'),
        (lambda: AutoAugmentPolicy(fill=0.5), 'got 0.5'),
        (lambda: SquareCutout(15), 'length must be an even whole number above 0, got 15'),
        (lambda: SquareCutout(0), 'got 0'),
        (lambda: SquareCutout(16.0), 'got 16.0'),
    ],
)
def test_settings_out_of_range_are_refused(make, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


@pytest.mark.parametrize(
    ('shape', 'dtype'), [((32, 32, 3), np.float32), ((32, 32, 4), np.uint8), ((3, 32, 32), np.uint8)]
)
def test_auto_augment_refuses_what_is_no_loaded_image(shape: tuple[int, ...], dtype: type) -> None:
    with pytest.raises(ConfigError, match=r'takes uint8 images .* got .*Put it behind loading'):
        AutoAugmentPolicy()({'img': np.zeros(shape, dtype=dtype)})
