"""Steps for whole batches against the transforms of single images, whose draws are made of the same random numbers."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from forced_draws import numpy_draws, torch_draws
from mmpretrain.datasets.transforms import RandomCrop, RandomErasing
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import chisquare, ks_2samp
from torchvision.transforms import AutoAugment, v2
from torchvision.transforms import AutoAugmentPolicy as Policy

from mmdrl.datasets import AutoAugmentPolicy, SquareCutout
from mmdrl.functional.augment import Canvas, image_uniforms
from mmdrl.functional.augment.magnitudes import SIGNED
from mmdrl.models.preprocessors.augments import BatchAugmentation, BatchAutoAugment, auto_augment

B = 400


def images(channels: int = 3, size: tuple[int, int] = (32, 32), count: int = B) -> NDArray[np.uint8]:
    rng = np.random.default_rng(sum(size))
    smooth = rng.integers(0, 256, (count, 8, 8, channels), dtype=np.uint8).repeat(6, axis=1).repeat(6, axis=2)
    noise = rng.integers(-20, 20, smooth.shape)
    return np.clip(smooth[:, : size[0], : size[1]].astype(int) + noise[:, : size[0], : size[1]], 0, 255).astype(
        np.uint8
    )


def changed(step: dict[str, Any], batch: NDArray[np.uint8], seed: int = 0) -> NDArray[np.uint8]:
    seeds = torch.arange(len(batch)) + seed
    return BatchAugmentation([step])(torch.from_numpy(batch), seeds).numpy()


def of_mmpretrain(transform: Any, image: NDArray[np.uint8], numbers: list[float]) -> NDArray[np.uint8]:
    with numpy_draws(numbers):
        return transform({'img': image.copy()})['img']


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('policy', ['cifar10', 'imagenet', 'svhn'])
def test_auto_augment_is_that_of_single_images_with_the_same_draws(policy: str, channels: int) -> None:
    batch = images(channels)
    numbers = image_uniforms(np.arange(B), 5, 0)
    single = AutoAugmentPolicy(policy, fill=77, channel_order='bgr')
    result = changed(dict(type='BatchAutoAugment', policy=policy, fill=77), batch)
    for image, before, (first, *uniforms) in zip(result, batch, numbers.tolist(), strict=True):
        pair = AutoAugment(Policy(policy)).policies[int(first * 25)]
        draws = [first]
        for place, (name, probability, _) in enumerate(pair):
            draws.append(uniforms[place])
            if uniforms[place] <= probability and name in SIGNED:
                draws.append(uniforms[2 + place])
        with torch_draws(draws):
            np.testing.assert_array_equal(image, single.transform({'img': before})['img'])


@pytest.mark.parametrize('num_ops', [0, 1, 3])
def test_rand_augment_is_torchvisions_with_the_same_draws(num_ops: int) -> None:
    batch = images(size=(31, 45))
    names = list(v2.RandAugment._AUGMENTATION_SPACE)
    settings = dict(num_ops=num_ops, magnitude=12, num_magnitude_bins=20)
    result = changed(dict(type='BatchRandAugment', **settings, fill=(1, 2, 3), channel_order='rgb'), batch)
    for image, before, uniforms in zip(result, batch, image_uniforms(np.arange(B), 2 * num_ops, 0), strict=True):
        draws = []
        for place in range(num_ops):
            draws.append(uniforms[place])
            if names[int(uniforms[place] * len(names))] in SIGNED:
                draws.append(uniforms[num_ops + place])
        with torch_draws(draws):
            expected = v2.RandAugment(**settings, fill=(1, 2, 3))(Image.fromarray(before))
        np.testing.assert_array_equal(image, np.array(expected))


def test_cutout_is_that_of_single_images_with_the_same_draws() -> None:
    batch = images(size=(31, 45))
    result = changed(dict(type='BatchCutout', length=16, fill=9), batch)
    single = SquareCutout(16, fill=9)
    for image, before, numbers in zip(result, batch, image_uniforms(np.arange(B), 2, 0), strict=True):
        np.testing.assert_array_equal(image, of_mmpretrain(single, before, numbers.tolist()))


@pytest.mark.parametrize(
    'settings',
    [
        dict(),
        dict(prob=1.0, min_area_ratio=0.3, max_area_ratio=1.0, aspect_range=0.2, fill_color=7),
        dict(prob=0.3, aspect_range=(1.0, 1.0), fill_color=(123.675, 116.28, 103.53)),
    ],
)
def test_erasing_is_mmpretrains_with_the_same_draws(settings: dict[str, Any]) -> None:
    batch = images(size=(31, 45))
    result = changed(dict(type='BatchErasing', **settings), batch)
    settings = dict(settings)
    single = RandomErasing(settings.pop('prob', 0.5), **settings)
    erased = 0
    for image, before, numbers in zip(result, batch, image_uniforms(np.arange(B), 5, 0).tolist(), strict=True):
        if numbers[0] > single.erase_prob:
            np.testing.assert_array_equal(image, before)
            continue
        erased += 1
        draws = numbers[1:3]
        with numpy_draws([*draws, 0.0, 0.0], all_of_them=False):
            _, _, height, width = single.random_patch(31, 45)
        draws += [numbers[3]] * (height < 31) + [numbers[4]] * (width < 45)
        np.testing.assert_array_equal(image, of_mmpretrain(single, before, [numbers[0], *draws]))
    assert erased == pytest.approx(B * single.erase_prob, abs=50)


@pytest.mark.parametrize('std', [None, 30.0])
def test_erasing_writes_random_values_and_nothing_else(std: float | None) -> None:
    batch = np.zeros((B, 32, 32, 3), np.uint8)
    settings = dict(min_area_ratio=0.5, max_area_ratio=0.6, aspect_range=(1.0, 1.0), mode='rand', fill_std=std)
    result = changed(dict(type='BatchErasing', prob=1.0, **settings, fill_color=(60, 128, 200)), batch)
    rows, columns = (result.max(axis=(axis, 3)) > 0 for axis in (2, 1))
    inside = result[rows[:, :, None] & columns[:, None, :]]
    assert 0.5 < len(inside) / B / 1024 < 0.6
    for channel, mean in enumerate((60, 128, 200)):
        values = inside[:, channel]
        if std is None:
            assert chisquare(np.bincount(values, minlength=256)).pvalue > 1e-4
        else:
            drawn = np.trunc(np.random.default_rng(channel).normal(mean, std, len(values))).clip(0, 255)
            assert ks_2samp(values, drawn).pvalue > 1e-4
    assert abs(np.corrcoef(inside.T.astype(float)) - np.eye(3)).max() < 0.01
    assert len({image.tobytes() for image in result}) == B


def test_erasing_of_a_grey_image_writes_a_grey_colour() -> None:
    result = changed(
        dict(type='BatchErasing', prob=1.0, fill_color=(200, 200, 200)), np.zeros((B, 32, 32, 1), np.uint8)
    )
    assert np.unique(result).tolist() == [0, 200]


PLACED = np.stack(np.broadcast_arrays(np.arange(1, 33)[:, None], np.arange(101, 133)), axis=-1)[None].astype(np.uint8)


@pytest.mark.parametrize(
    ('settings', 'sides', 'size'),
    [
        (dict(size=32, padding=4), (4, 4, 4, 4), (32, 32)),
        (dict(size=[20, 28], padding=(1, 2, 3, 4), pad_value=(7, 9)), (1, 2, 3, 4), (20, 28)),
        (dict(size=(20, 32)), (0, 0, 0, 0), (20, 32)),
        (dict(size=(40, 40), padding=(2, 3)), (2, 3, 2, 3), (38, 36)),
    ],
)
def test_crop_is_a_window_of_the_padded_image_anywhere_with_equal_probability(
    settings: dict[str, Any], sides: tuple[int, ...], size: tuple[int, int]
) -> None:
    left, top, right, bottom = sides
    value = settings.get('pad_value', (0, 0))
    padded = np.stack(
        [np.pad(PLACED[0, ..., c], ((top, bottom), (left, right)), constant_values=value[c]) for c in (0, 1)]
    )
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(1, 2))
    windows = windows.transpose(1, 2, 3, 4, 0).reshape(-1, *size, 2)
    number = {window.tobytes(): place for place, window in enumerate(windows)}
    assert len(number) == len(windows)
    result = changed(dict(type='BatchCrop', **settings), PLACED.repeat(20 * len(windows), axis=0))
    places = np.bincount([number[image.tobytes()] for image in np.ascontiguousarray(result)], minlength=len(windows))
    assert len(places) == 1 or chisquare(places).pvalue > 1e-4


def test_crop_is_mmpretrains_with_the_same_draws() -> None:
    batch = images()
    result = changed(dict(type='BatchCrop', size=32, padding=4), batch)
    single = RandomCrop(crop_size=32, padding=4)
    for image, before, numbers in zip(result, batch, image_uniforms(np.arange(B), 2, 0), strict=True):
        np.testing.assert_array_equal(image, of_mmpretrain(single, before, numbers.tolist()))


@pytest.mark.parametrize(
    ('settings', 'shares'),
    [
        (dict(prob=0.5, direction='horizontal'), dict(horizontal=0.5)),
        (
            dict(prob=0.9, direction=['vertical', 'diagonal', 'horizontal']),
            dict(horizontal=0.3, vertical=0.3, diagonal=0.3),
        ),
        (dict(prob=[0.1, 0.6], direction=['horizontal', 'diagonal']), dict(horizontal=0.1, diagonal=0.6)),
        (dict(prob=1, direction='vertical'), dict(vertical=1.0)),
        (dict(prob=0), dict()),
    ],
)
def test_flips_come_in_their_shares(settings: dict[str, Any], shares: dict[str, float]) -> None:
    image = PLACED[0]
    flipped = dict(horizontal=image[:, ::-1], vertical=image[::-1], diagonal=image[::-1, ::-1], none=image)
    names = {np.ascontiguousarray(array).tobytes(): name for name, array in flipped.items()}
    result = np.ascontiguousarray(changed(dict(type='BatchFlip', **settings), PLACED.repeat(4000, axis=0)))
    counts = Counter(names[one.tobytes()] for one in result)
    expected = {
        name: 4000 * share for name, share in {**shares, 'none': 1 - sum(shares.values())}.items() if share > 1e-9
    }
    assert counts.keys() == expected.keys()
    assert len(counts) == 1 or chisquare([counts[name] for name in expected], list(expected.values())).pvalue > 1e-4


@pytest.mark.parametrize('policy', ['cifar10', 'imagenet', 'svhn'])
def test_operations_are_as_frequent_as_the_published_table_says(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places in a pair by themselves; of signed operations both directions alike."""
    drawn: list[NDArray[np.int64]] = []
    step = BatchAutoAugment(policy)
    monkeypatch.setattr(auto_augment, 'operate', lambda _, numbers, *rest: drawn.append(numbers))
    canvas = Canvas(torch.zeros(1, 32, 32, 3, dtype=torch.uint8))
    step(canvas, np.arange(40000), 0)
    _, numbers = step.catalogues(canvas)
    for place in (0, 1):
        expected: Counter[int] = Counter()
        for pair, row in zip(AutoAugment(Policy(policy)).policies, numbers, strict=True):
            expected[0] += (1 - pair[place][1]) * 40000 / 25
            for number in row[place]:
                expected[int(number)] += pair[place][1] / 2 * 40000 / 25
        expected = +expected
        counts = np.bincount(drawn[0][:, place], minlength=max(expected) + 1)
        assert counts.sum() == sum(counts[number] for number in expected)
        assert chisquare([counts[number] for number in expected], list(expected.values())).pvalue > 1e-4
