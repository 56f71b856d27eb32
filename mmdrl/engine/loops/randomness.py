"""Random numbers as a function of where the run is.

A run that seeds its generators from seed and iteration before every iteration has no state of generators to save:
whatever validation or a hook has drawn in between, a resumed run draws what the unbroken one did. There processes
differ as MMEngine's ``randomness.diff_rank_seed`` has it. Images have numbers of their own, by their place in the order
of all processes: see ``image_seeds.py``.
"""

import random
from typing import Any, Literal

import numpy as np
import torch
from mmengine.dist import broadcast
from numpy.typing import NDArray

_PURPOSE = dict(iteration=1, epoch=2, images=3)
_WORD = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15  # from one state of SplitMix64 to the next


def seed_process(seed: int, what: Literal['iteration', 'epoch'], index: int) -> None:
    """Seed Python, NumPy and torch, on the CPU and on CUDA devices in use; about 20 microseconds.

    Args:
        seed: Of the run in this process, at least 0.
        what: What begins.
        index: Which one, from 0.
    """
    words = np.random.SeedSequence((seed, index, _PURPOSE[what])).generate_state(3)
    random.seed(int(words[0]))
    np.random.seed(words[1])
    # Not torch.manual_seed: without CUDA in use it notes a stack trace at every call, for a later start of CUDA.
    torch.default_generator.manual_seed(int(words[2]))
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(int(words[2]))


def pass_key(seed: int, epoch: int) -> int:
    """A number of 64 bits for the images of one pass over the data.

    Args:
        seed: Of the run, the same on all processes, at least 0.
        epoch: Number of the pass, from 0.
    """
    return int(np.random.SeedSequence((seed, epoch, _PURPOSE['images'])).generate_state(1, np.uint64)[0])


def split_mix(state: Any) -> Any:
    """Output of SplitMix64 in a state: a whole number of Python, or ``uint64`` numbers of NumPy of any shape.

    Source: Steele, Lea & Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
    """
    word = state & _WORD
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & _WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & _WORD
    return word ^ (word >> 31)


def image_words(key: int, places: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The numbers of 64 bits with which :func:`seed_image` seeds, for images at these places, of the same shape."""
    words: NDArray[np.uint64] = split_mix(np.uint64(key) + (places + np.uint64(1)) * np.uint64(_GOLDEN))
    return words


def seed_image(key: int, place: int) -> None:
    """Seed Python, NumPy and torch on the CPU for one image; 7 to 10 microseconds, of which Python's take half.

    Args:
        key: Of the pass, 64 bits.
        place: In the order of all processes, at least 0.
    """
    word = split_mix(key + (place + 1) * _GOLDEN)
    random.seed(word)
    np.random.seed(word & 0xFFFFFFFF)
    torch.default_generator.manual_seed(word >> 32)  # not the same half: torch and NumPy have the same generator


def seed_of_first_process(seed: int) -> int:
    """The seed that the first process has, on all of them, all of which must call this."""
    value = torch.tensor(seed)
    broadcast(value)
    return int(value)
