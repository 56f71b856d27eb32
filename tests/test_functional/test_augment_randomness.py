"""The random numbers of an image: which they are, that they are evenly spread, and that they depend on nothing else."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from mmdrl.functional.augment import image_uniforms, image_words, pixel_words, uniform_integers
from mmdrl.functional.augment.transfer import pack, unpack

SEEDS = {
    'in a row': np.arange(20000),
    'of a loop': image_words(np.array([7]), 20000, 0)[0].view(np.int64),
    'negative': -np.arange(1, 20001) * 2**40,
}


def test_words_are_those_of_splitmix64() -> None:
    """From 1234567: the five numbers that implementations of it are checked with (rosettacode.org)."""
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert image_words(np.array([1234567]), 5, 0)[0].tolist() == published


def test_stream_goes_on_where_no_counter_of_another_is() -> None:
    of_one, of_other = image_words(np.arange(1000), 8, 0), image_words(np.arange(1000), 8, 1)
    assert not np.intersect1d(of_one, of_other).size
    # A seed further on by 2**32 steps of SplitMix64 has in stream 0 what the seed itself has in stream 1.
    later = (1234567 + 2**32 * 0x9E3779B97F4A7C15) % 2**64
    further = np.array([later], dtype=np.uint64).view(np.int64)
    np.testing.assert_array_equal(image_words(np.array([1234567]), 5, 1), image_words(further, 5, 0))


@pytest.mark.parametrize('seeds', SEEDS)
def test_numbers_are_uniform_alone_and_in_pairs(seeds: str) -> None:
    numbers = np.concatenate([image_uniforms(SEEDS[seeds], 3, stream) for stream in (0, 1, 5)], axis=1)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    cells = uniform_integers(numbers, 10)
    for one in range(9):
        assert chisquare(np.bincount(cells[:, one], minlength=10)).pvalue > 1e-4
        neighbours = cells[:-1, one] * 10 + cells[1:, one]
        assert chisquare(np.bincount(neighbours, minlength=100)).pvalue > 1e-4
        for other in range(one):
            assert chisquare(np.bincount(cells[:, one] * 10 + cells[:, other], minlength=100)).pvalue > 1e-4


def test_words_of_the_device_are_those_of_the_host() -> None:
    seeds = SEEDS['of a loop'][:500]
    for stream in (0, 3):
        on_device = pixel_words(torch.from_numpy(seeds), 40, stream).numpy().view(np.uint64)
        np.testing.assert_array_equal(on_device, image_words(seeds, 40, stream))


def test_arrays_sent_as_one_come_out_as_they_were() -> None:
    arrays = [np.arange(5, dtype=np.int32), np.zeros((0, 3), np.uint8), np.arange(7, dtype=np.uint8).reshape(7, 1)]
    arrays += [np.random.default_rng(0).random((3, 4)).astype(np.float32), np.arange(4) * -(2**40)]
    for array, tensor in zip(arrays, unpack(pack(arrays, pin=False), arrays), strict=True):
        np.testing.assert_array_equal(tensor.numpy(), array)
        assert tensor.numpy().dtype == array.dtype
