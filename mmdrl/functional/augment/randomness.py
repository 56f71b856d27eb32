"""Random numbers of an image as a function of its seed and of what they are for.

A counter is hashed with the seed, so nothing is kept from one number to the next: neither the batch nor the process nor
the device that an image is in changes what it gets. The hash is SplitMix64, as for the seeds of the images themselves.
"""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_STEP = 0x9E3779B97F4A7C15
_FACTORS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_COUNTERS = 2**32  # of one stream


def image_words(seeds: NDArray[np.int64], count: int, stream: int) -> NDArray[np.uint64]:
    """Random words of 64 bits, shape ``(B, count)``.

    Args:
        seeds: Of the images, shape ``(B,)``, any numbers.
        count: Words per image, at most 2**32.
        stream: What they are for: each has words of its own.
    """
    # One word of all images after the other: a row for each image would be too short to be fast.
    words = seeds.astype(np.int64, copy=False).view(np.uint64) + _counters(count, stream)[:, None]
    for bits, factor in zip((30, 27), _FACTORS, strict=True):
        words ^= words >> np.uint64(bits)
        words *= np.uint64(factor)
    words ^= words >> np.uint64(31)
    return words.T


def image_uniforms(seeds: NDArray[np.int64], count: int, stream: int) -> NDArray[np.float64]:
    """Uniform numbers of [0, 1), shape ``(B, count)``; arguments as in :func:`image_words`."""
    return (image_words(seeds, count, stream) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def uniform_integers(uniforms: NDArray[np.float64], stop: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """Whole numbers of [0, stop) from uniform ones of [0, 1)."""
    return (uniforms * stop).astype(np.int64)


def pixel_words(seeds: Tensor, count: int, stream: int) -> Tensor:
    """Words as of :func:`image_words`, computed on the device of the seeds, as int64 of the same bits."""
    counters = (torch.arange(1, count + 1, device=seeds.device) + _signed(stream * _COUNTERS)) * _signed(_STEP)
    words = seeds[:, None] + counters
    words = (words ^ _shifted(words, 30)) * _signed(_FACTORS[0])
    words = (words ^ _shifted(words, 27)) * _signed(_FACTORS[1])
    return words ^ _shifted(words, 31)


@lru_cache(maxsize=32)
def _counters(count: int, stream: int) -> NDArray[np.uint64]:
    """What is added to a seed; the same for every batch."""
    return (np.arange(1, count + 1, dtype=np.uint64) + np.uint64(stream * _COUNTERS)) * np.uint64(_STEP)


def _shifted(words: Tensor, bits: int) -> Tensor:
    """Shifted right with zeros coming in, which torch's signed shift has not."""
    return (words >> bits) & (2 ** (64 - bits) - 1)


def _signed(word: int) -> int:
    return (word + 2**63) % 2**64 - 2**63
