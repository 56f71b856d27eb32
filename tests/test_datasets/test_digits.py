"""Digits: the images of scikit-learn, ready for MMPretrain's transforms."""

import numpy as np
import pytest
import torch
from mmpretrain.models import ClsDataPreprocessor
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from mmdrl.datasets import Digits
from mmdrl.registry import DATASETS

PIPELINE = [dict(type='RandomCrop', crop_size=8, padding=1), dict(type='PackInputs')]


@pytest.fixture(scope='module')
def digits() -> Digits:
    return Digits()


def test_images_are_those_of_scikit_learn_spread_over_a_byte(digits):
    source = load_digits()
    images = np.stack([digits.get_data_info(position)['img'] for position in range(len(digits))])
    assert images.shape == (1797, 8, 8, 1)
    assert images.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 255)
    assert_allclose(images[..., 0], source.images * 255 / 16, atol=0.5)  # 16 is the brightest of the source
    assert_array_equal(digits.get_gt_labels(), source.target)


def test_every_grey_level_stays_apart(digits):
    images = np.stack([digits.get_data_info(position)['img'] for position in range(len(digits))])
    assert len(np.unique(images)) == 17


def test_classes_are_named_by_the_digit(digits):
    assert digits.metainfo['classes'] == ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')


def test_crop_of_the_padded_image_shifts_by_up_to_one_pixel(digits):
    packed = DATASETS.build(dict(type='mmdrl.Digits', pipeline=PIPELINE))
    padded = np.pad(digits.get_data_info(7)['img'][..., 0], 1)
    shifts = set()
    np.random.seed(0)  # MMPretrain's transforms draw from NumPy's global stream
    for _ in range(100):
        image = packed[7]['inputs']
        assert image.shape == (1, 8, 8)
        assert image.dtype == torch.uint8
        found = [(y, x) for y in range(3) for x in range(3) if (padded[y : y + 8, x : x + 8] == image[0].numpy()).all()]
        assert len(found) == 1
        shifts.update(found)
    assert len(shifts) == 9


def test_preprocessor_normalises_the_one_channel():
    packed = DATASETS.build(dict(type='mmdrl.Digits', pipeline=[dict(type='PackInputs')]))
    batch = [packed[position] for position in range(4)]
    data = {key: [sample[key] for sample in batch] for key in ('inputs', 'data_samples')}
    inputs = ClsDataPreprocessor(mean=[78.0], std=[96.0], to_rgb=False)(data)['inputs']
    assert inputs.shape == (4, 1, 8, 8)
    assert_allclose(inputs[2].numpy(), (batch[2]['inputs'].numpy() - 78.0) / 96.0, rtol=1e-6)
