"""Random numbers of a training process as a function of where the run is.

A run that seeds its generators from seed and iteration, before every iteration, has no state of generators to save:
whatever validation or a hook has drawn in between, a resumed run draws what the unbroken one did. Processes differ as
MMEngine's ``randomness.diff_rank_seed`` has it. Workers of a loader have generators of their own.
"""

import random
from typing import Literal

import numpy as np
import torch

_PURPOSE = dict(iteration=1, epoch=2)


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
