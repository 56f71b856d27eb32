"""What samplers that look at classes have in common: one order for all processes, shared out by turns.

The order of an epoch is one array that depends on the seed and the epoch only; each process takes every W-th position
of it. So the global batches are the same for any number of processes W, and an epoch can be drawn again after a
restart.
"""

from collections.abc import Iterator, Sized
from itertools import chain
from typing import Literal

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from numpy.typing import NDArray
from torch.utils.data import Sampler

from mmdrl.datasets.arguments import check_whole
from mmdrl.datasets.labels import dataset_labels
from mmdrl.datasets.wrappers import whole_dataset
from mmdrl.errors import ConfigError

from .passes import group_by_class

# Positions turned into Python integers at a time: those cost more than four times their place in an array.
PIECE = 2**16

NumSamples = int | Literal['images'] | None


class ClassSampler(Sampler[int]):
    """A sampler whose order follows from the images of each class; a subclass writes :meth:`draw`.

    Args:
        dataset: Data set whose labels :func:`mmdrl.datasets.dataset_labels` can tell. ``num_batch_per_epoch``
            does not limit it: give ``num_samples``.
        num_samples: Length of an epoch over all processes. ``'images'``: as many as the data set has images, so that
            an epoch costs what a plain one does. None: what the sampler has as its default.
        seed: Of the order, at least 0. None: one that all processes agree on.

    Attributes:
        classes: Images of the data set by class.
        epoch: Decides the order, together with the seed. The loops of MMEngine set it: to the epoch, or to the number
            of passes where training goes by iterations.

    Raises:
        ConfigError: If a number is out of range, or there are more processes than samples.
        DataError: If a class below the largest label has no image.
    """

    def __init__(self, dataset: Sized, num_samples: NumSamples = None, seed: int | None = None):
        if num_samples is not None and num_samples != 'images':
            check_whole('num_samples', num_samples, 1, ", 'images' or None")
        if seed is not None:
            check_whole('seed', seed, 0)
        labels = dataset_labels(whole_dataset(dataset))
        self.classes = group_by_class(labels, where=f'The labels of {type(dataset).__name__}')
        if num_samples is None:
            self.num_samples = self.default_num_samples()
        else:
            self.num_samples = len(self.classes.positions) if num_samples == 'images' else int(num_samples)
        self.rank, self.world_size = get_dist_info()
        if self.num_samples < self.world_size:
            raise ConfigError(
                f'{type(self).__name__} has {self.num_samples} samples per epoch for {self.world_size} processes: '
                'each needs one. Raise num_samples, or start fewer processes.'
            )
        self.seed = sync_random_seed() if seed is None else int(seed)
        self.epoch = 0

    def draw(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """Positions of the samples of one epoch, shape ``(num_samples,)``."""
        raise NotImplementedError

    def default_num_samples(self) -> int:
        """Length of an epoch if none is given: the images of the data set, so that it costs what a plain one does."""
        return len(self.classes.positions)

    def global_order(self) -> NDArray[np.int64]:
        """Positions of this epoch's samples over all processes, shape ``(num_samples,)``."""
        return self.draw(np.random.default_rng((self.seed, self.epoch)))

    def __len__(self) -> int:
        """Samples of this process, the same for all processes."""
        return -(-self.num_samples // self.world_size)

    def __iter__(self) -> Iterator[int]:
        order = self.global_order()
        own = np.ascontiguousarray(order[self.rank :: self.world_size])
        if len(own) < len(self):  # the end is filled up from the start, so that every process has as many samples
            own = np.append(own, order[self.rank + len(own) * self.world_size - self.num_samples])
        return chain.from_iterable(own[begin : begin + PIECE].tolist() for begin in range(0, len(own), PIECE))

    def set_epoch(self, epoch: int) -> None:
        """Make the next iteration draw the order of ``epoch``."""
        self.epoch = epoch
