"""Every operation of AutoAugment and RandAugment against Pillow, pixel by pixel."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pillow_operations import of_pillow

from mmdrl.functional.augment import IDENTITY, Canvas, Catalogue, Operation, operate, operation
from mmdrl.functional.augment.magnitudes import SIGNED, UNSIGNED

SIZES = [(32, 32), (31, 45)]


def pictures(height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """Images of many kinds: noise, narrow and wide ranges, one value, few values, a step, and smooth ones."""
    rng = np.random.default_rng(height)
    noise = rng.integers(0, 256, (4, height, width, channels))
    narrow = rng.integers(90, 110, (2, height, width, channels))
    flat = np.full((1, height, width, channels), 77)
    two = rng.choice([3, 200], (1, height, width, channels))
    rare = np.where(rng.random((1, height, width, channels)) < 0.01, 255, 10)
    slope = np.linspace(0, 255, width)[None, :, None] * np.linspace(0.2, 1, height)[:, None, None]
    smooth = np.broadcast_to(slope * np.linspace(1, 0.5, channels), (1, height, width, channels))
    skewed = 255 * rng.random((4, height, width, channels)) ** rng.uniform(0.2, 5, (4, 1, 1, channels))
    return np.concatenate([noise, narrow, flat, two, rare, smooth, skewed]).astype(np.uint8)


def done(images: NDArray[np.uint8], operations: list[list[Operation]], order: str = 'rgb', fill: int = 128) -> NDArray:
    """Each image after a list of operations of its own."""
    number = {IDENTITY: 0}
    numbers = np.array([[number.setdefault(one, len(number)) for one in row] for row in operations])
    canvas = Canvas(torch.from_numpy(images))
    operate(canvas, numbers, Catalogue(list(number), *canvas.size, canvas.device, order), (fill,))
    return canvas.planes().permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('name', [*SIGNED, *UNSIGNED])
def test_operation_is_pillows_at_every_magnitude(name: str, size: tuple[int, int], channels: int) -> None:
    images = pictures(*size, channels)
    for magnitude in {operation(name, step, 10, *size, negative=sign) for step in range(10) for sign in (True, False)}:
        expected = np.stack([of_pillow(*magnitude, image) for image in images])
        np.testing.assert_array_equal(done(images, [[magnitude]] * len(images)), expected, err_msg=str(magnitude))


def test_channels_in_reverse_are_rgb_images_turned() -> None:
    images = pictures(32, 32, 3)
    for name in ('Color', 'Contrast', 'Equalize', 'AutoContrast', 'Sharpness', 'Brightness'):
        magnitude = operation(name, 7, 10, 32, 32)
        expected = np.stack([of_pillow(*magnitude, image) for image in images])[..., ::-1]
        np.testing.assert_array_equal(done(images[..., ::-1].copy(), [[magnitude]] * len(images), 'bgr'), expected)


def test_any_sequence_of_operations_is_pillows_whatever_the_others_of_the_batch_do() -> None:
    rng = np.random.default_rng(3)
    images = np.concatenate([pictures(31, 45, 3)] * 12)
    names = rng.choice([*SIGNED, *UNSIGNED, 'Identity'], (len(images), 4))
    sequences = [
        [operation(name, int(rng.integers(10)), 10, 31, 45, negative=bool(rng.integers(2))) for name in row]
        for row in names
    ]
    expected = images.copy()
    for image, sequence in enumerate(sequences):
        for name, magnitude in sequence:
            expected[image] = of_pillow(name, magnitude, expected[image], fill=9)
    np.testing.assert_array_equal(done(images, sequences, fill=9), expected)


@pytest.mark.parametrize('size', [(1, 1), (2, 5), (3, 1), (3, 3)])
def test_images_of_a_few_pixels_are_changed_like_pillows(size: tuple[int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, *size, 3), dtype=np.uint8)
    for name in (*SIGNED, *UNSIGNED):
        magnitude = operation(name, 8, 10, *size)
        expected = np.stack([of_pillow(*magnitude, image) for image in images])
        np.testing.assert_array_equal(done(images, [[magnitude]] * 3), expected, err_msg=str(magnitude))


def test_equalize_and_autocontrast_are_pillows_for_every_pair_of_extremes() -> None:
    low, high = np.triu_indices(256)
    keep = np.arange(0, len(low), 37)
    images = np.stack([low[keep], high[keep], (low[keep] + 2 * high[keep]) // 3, high[keep]], axis=1)
    images = np.repeat(images, 64, axis=1).reshape(-1, 16, 16, 1).astype(np.uint8)
    for name in ('AutoContrast', 'Equalize'):
        expected = np.stack([of_pillow(name, 0.0, image) for image in images])
        np.testing.assert_array_equal(done(images, [[(name, 0.0)]] * len(images)), expected)


def test_mean_grey_of_many_pixels_is_exact() -> None:
    """One pixel decides to which side the mean is rounded; the sum is beyond the whole numbers of float32."""
    values = np.where(np.arange(90000) < 44999, 255, 254)
    image = values.reshape(1, 300, 300, 1).astype(np.uint8)
    magnitude = ('Contrast', -0.9)
    np.testing.assert_array_equal(done(image, [[magnitude]])[0], of_pillow(*magnitude, image[0]))
