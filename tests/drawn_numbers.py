"""A data set that loader workers can import, whose samples are random numbers."""

import random

import numpy as np
import torch
from torch.utils.data import Dataset


class Drawn(Dataset):
    """A sample is its position and a number of each generator.

    Args:
        images: Length.
    """

    def __init__(self, images: int):
        self.images = images

    def __len__(self) -> int:
        return self.images

    def __getitem__(self, index: int) -> tuple[float, ...]:
        return index, random.random(), float(np.random.rand()), float(torch.rand((), dtype=torch.float64))
