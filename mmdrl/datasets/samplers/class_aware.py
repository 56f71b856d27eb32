"""Class-aware sampling: every class is drawn equally often, a few images in a row.

The order of an epoch is one array that depends on the seed and the epoch only; each process takes
every W-th position of it. So the global batches are the same for any number of processes W, and an
epoch can be drawn again after a restart.
"""

from collections.abc import Iterator, Sized

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from numpy.typing import NDArray
from torch.utils.data import Sampler

from mmdrl.datasets.labels import check_labels, dataset_labels, whole_dataset
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import DATA_SAMPLERS


def class_aware_order(
    labels: NDArray[np.int64], samples_per_class: int, num_samples: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Positions of the samples of one epoch, drawn class by class.

    The classes are visited in rounds, every class once per round in a new random order. A visit takes
    the next ``samples_per_class`` images of the class; a class goes through all its images in random
    order before one comes again, and then shuffles them anew.

    Args:
        labels: Shape ``(N,)``; every class up to the largest label must occur.
        samples_per_class: Images in a row of one class, at least 1. More than the class has repeats some.
        num_samples: Length of the epoch, at least 1; the last visit is cut short if it does not fit.
        generator: Source of all randomness.

    Returns:
        Positions in ``labels``, shape ``(num_samples,)``.

    Raises:
        ValueError: If an argument is out of range or a class is empty.

    Source: Shen et al., "Relay Backpropagation", ECCV 2016; four images in a row as in the released code
    of Samuel & Chechik, ICCV 2021.
    """
    if samples_per_class < 1 or num_samples < 1:
        raise ValueError(
            'samples_per_class and num_samples must be at least 1, '
            f'got samples_per_class={samples_per_class} and num_samples={num_samples}.'
        )
    counts = np.bincount(labels)
    if len(counts) == 0 or counts.min() < 1:
        raise ValueError(f'Every class needs an image, but class {counts.argmin() if len(counts) else 0} has none.')
    images = np.split(np.argsort(labels, kind='stable'), counts.cumsum()[:-1])  # K arrays of (n_c,)
    num_classes = len(counts)
    num_visits = -(-num_samples // samples_per_class)
    num_rounds = -(-num_visits // num_classes)
    rounds = np.tile(np.arange(num_classes), (num_rounds, 1))
    visits = generator.permuted(rounds, axis=1).ravel()[:num_visits]  # class of each visit
    visit_counts = np.bincount(visits, minlength=num_classes)
    visits_of_class = np.split(np.argsort(visits, kind='stable'), visit_counts.cumsum()[:-1])
    order = np.empty((num_visits, samples_per_class), dtype=np.int64)
    for positions, when in zip(images, visits_of_class, strict=True):
        num_passes = -(-len(when) * samples_per_class // len(positions))
        passes = generator.permuted(np.tile(positions, (num_passes, 1)), axis=1)
        order[when] = passes.ravel()[: len(when) * samples_per_class].reshape(-1, samples_per_class)
    return order.ravel()[:num_samples]


@DATA_SAMPLERS.register_module()
class ClassAwareSampler(Sampler[int]):
    """Draw the classes equally often, ``samples_per_class`` images in a row; see :func:`class_aware_order`.

    Args:
        dataset: Data set whose labels :func:`mmdrl.datasets.dataset_labels` can tell. ``num_batch_per_epoch``
            does not limit it: give ``num_samples``.
        samples_per_class: Images in a row of one class.
        num_samples: Length of an epoch over all processes. None: size of the largest class times K.
        seed: Of the order, at least 0. None: one that all processes agree on.

    Raises:
        ConfigError: If a number is out of range.
        DataError: If a class below the largest label has no image.
    """

    def __init__(
        self,
        dataset: Sized,
        samples_per_class: int = 4,
        num_samples: int | None = None,
        seed: int | None = None,
    ):
        if samples_per_class < 1:
            raise ConfigError(f'samples_per_class must be at least 1, got {samples_per_class}.')
        if num_samples is not None and num_samples < 1:
            raise ConfigError(f'num_samples must be at least 1, or None for n_max * K, got {num_samples}.')
        if seed is not None and seed < 0:
            raise ConfigError(f'seed must be at least 0, or None, got {seed}.')
        self.labels = dataset_labels(whole_dataset(dataset))
        check_labels(self.labels, where=f'The labels of {type(dataset).__name__}')
        counts = np.bincount(self.labels, minlength=1)
        if counts.min() < 1:
            raise DataError(
                f'Class {counts.argmin()} has no image, so it cannot be drawn. Do the labels skip a number?'
            )
        self.rank, self.world_size = get_dist_info()
        self.samples_per_class = samples_per_class
        self.num_samples = int(counts.max()) * len(counts) if num_samples is None else num_samples
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0

    def __len__(self) -> int:
        """Samples of this process, the same for all processes."""
        return -(-self.num_samples // self.world_size)

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng((self.seed, self.epoch))
        order = class_aware_order(self.labels, self.samples_per_class, self.num_samples, generator)
        # Wrapped around, so that every process has as many samples.
        order = np.resize(order, len(self) * self.world_size)
        return iter(order[self.rank :: self.world_size].tolist())

    def set_epoch(self, epoch: int) -> None:
        """Make the next iteration draw the order of ``epoch``."""
        self.epoch = epoch
