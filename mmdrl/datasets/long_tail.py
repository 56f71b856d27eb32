"""A long tail cut out of any data set, with a balanced part held out beside it.

Both parts come from one shuffle of each class: its first images are held out, the next ones make the
tail. So they cannot overlap, the held-out part is the same for every imbalance ratio, and with nothing
held out the tail is the published CIFAR-LT selection, order included.
"""

from typing import Any, Literal, get_args

import numpy as np
from mmengine.dataset import BaseDataset, force_full_init
from numpy.typing import NDArray

from mmdrl.datasets.labels import check_labels, dataset_labels
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import DATASETS
from mmdrl.stats import Profile, long_tail_counts

Part = Literal['train', 'holdout']


@DATASETS.register_module()
class LongTailDataset:
    """A wrapped data set thinned to a long-tail profile, or the balanced part held out from it.

    Args:
        dataset: Data set or its config.
        imbalance_ratio: Images of the largest class over those of the smallest, at least 1.
        profile: Law by which the counts fall with the label, see :func:`mmdrl.stats.long_tail_counts`.
        seed: Of the shuffle. Both parts must be given the same.
        max_count: Images of the largest class. None: as many as the smallest class of the wrapped set
            has left after the hold-out, so that no class runs short.
        holdout_per_class: Images of every class that are kept out of the tail.
        part: ``'train'``: the tail. ``'holdout'``: the images kept out.
        lazy_init: Read the wrapped set at the first use instead of now.

    Attributes:
        indices: Positions in the wrapped set, shape ``(n,)``, one class after the other.
        class_counts: Images per class of this part, shape ``(K,)``; as a list in ``metainfo``, too.

    Raises:
        ConfigError: If an argument is out of range.
        DataError: If a class has too few images.

    Source: the rule of the code of Cao et al., "Learning Imbalanced Datasets with Label-Distribution-
    Aware Margin Loss", NeurIPS 2019 (CIFAR-LT is ``profile='exp'``, ``seed=0``, ``holdout_per_class=0``).
    """

    def __init__(
        self,
        dataset: BaseDataset | dict,
        imbalance_ratio: float,
        profile: Profile = 'exp',
        seed: int = 0,
        max_count: int | None = None,
        holdout_per_class: int = 0,
        part: Part = 'train',
        lazy_init: bool = False,
    ):
        if not imbalance_ratio >= 1:
            raise ConfigError(
                f'imbalance_ratio is largest class / smallest class, at least 1, got {imbalance_ratio}. '
                'A published factor of 0.01 is a ratio of 100.'
            )
        for name, value, choices in (('profile', profile, Profile), ('part', part, Part)):
            if value not in get_args(choices):
                raise ConfigError(f'{name} must be one of {get_args(choices)}, got {value!r}.')
        if holdout_per_class < (1 if part == 'holdout' else 0):
            raise ConfigError(
                f"holdout_per_class must be at least 0, and at least 1 for part='holdout', got {holdout_per_class}."
            )
        self.imbalance_ratio = imbalance_ratio
        self.profile = profile
        self.seed = seed
        self.max_count = max_count
        self.holdout_per_class = holdout_per_class
        self.part = part
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    def full_init(self) -> None:
        """Read the labels of the wrapped set and choose the images of this part."""
        if self._fully_initialized:
            return
        labels = dataset_labels(self.dataset)
        name = type(self.dataset).__name__
        if len(labels) == 0:
            raise DataError(f'{name} is empty: there is nothing to cut a long tail from.')
        num_classes = int(labels.max()) + 1 if self.CLASSES is None else len(self.CLASSES)
        check_labels(labels, num_classes, where=f'The labels of {name}')
        available = np.bincount(labels, minlength=num_classes)
        held = np.full(num_classes, self.holdout_per_class)
        if self.part == 'holdout':
            self._check_supply(available, held)
            self.indices = shuffled_class_indices(labels, held, self.seed)
        else:
            self._check_supply(available, held + 1)
            tail = self._tail_counts(available - held)
            self._check_supply(available, held + tail)
            self.indices = shuffled_class_indices(labels, tail, self.seed, first=self.holdout_per_class)
        self._labels = labels[self.indices]
        self.class_counts = np.bincount(self._labels, minlength=num_classes)
        self._fully_initialized = True

    def _tail_counts(self, available: NDArray[np.int64]) -> NDArray[np.int64]:
        """Images per class of the tail, (K,)."""
        max_count = int(available.min()) if self.max_count is None else self.max_count
        try:
            return long_tail_counts(len(available), max_count, self.imbalance_ratio, self.profile)
        except ValueError as error:
            raise ConfigError(f'This long tail cannot be cut. {error}') from error

    def _check_supply(self, available: NDArray[np.int64], needed: NDArray[np.int64]) -> None:
        """Raise if a class has fewer images than are held out and taken for the tail."""
        is_short = available < needed
        if is_short.any():
            short = int(is_short.argmax())
            raise DataError(
                f'Class {short} has {available[short]} images, but {needed[short]} are needed, of which '
                f'{self.holdout_per_class} are held out. Lower max_count or holdout_per_class.'
            )

    @property
    def metainfo(self) -> dict:
        """A copy of the wrapped set's meta information, with ``class_counts`` of this part as a list."""
        metainfo = dict(self.dataset.metainfo)
        if self._fully_initialized:
            metainfo['class_counts'] = self.class_counts.tolist()
        return metainfo

    # The rest of the wrapped set is reached as `.dataset`, not forwarded: its get_subset or data_list
    # would speak of other images, and who sets `pipeline` here must find that it belongs to `.dataset`.
    @property
    def CLASSES(self) -> tuple[str, ...] | None:
        """Names of the classes, or None if the wrapped set has none."""
        return self.dataset.metainfo.get('classes')

    @force_full_init
    def __len__(self) -> int:
        return len(self.indices)

    @force_full_init
    def __getitem__(self, index: int) -> Any:
        position = int(self.indices[index])
        if not isinstance(self.dataset, BaseDataset) or self.dataset.test_mode:
            return self.dataset[position]
        # BaseDataset would replace a broken image by any of its own, and so by one of the other part.
        for _ in range(self.dataset.max_refetch + 1):
            data = self.dataset.prepare_data(position)
            if data is not None:
                return data
            position = int(np.random.choice(self.indices))
        raise DataError(f'The pipeline gave nothing for {self.dataset.max_refetch + 1} images in turn.')

    @force_full_init
    def get_data_info(self, index: int) -> dict:
        """Data of one image of this part; its ``sample_idx`` is the position in the wrapped set."""
        return self.dataset.get_data_info(int(self.indices[index]))

    @force_full_init
    def get_cat_ids(self, index: int) -> list[int]:
        """Label of one image of this part, in a list as MMEngine's wrappers want it."""
        return [int(self._labels[index])]

    @force_full_init
    def get_gt_labels(self) -> NDArray[np.int64]:
        """Labels of this part, shape ``(n,)``."""
        return self._labels.copy()


def shuffled_class_indices(
    labels: NDArray[np.int64], counts: NDArray[np.int64], seed: int, first: int = 0
) -> NDArray[np.int64]:
    """Positions ``first : first + counts[c]`` of each shuffled class c, one class after the other.

    One ``RandomState(seed)`` shuffles the ascending positions of class 0, then of class 1, and so on:
    the stream of ``np.random.seed(seed)`` in the published code.

    Args:
        labels: Shape ``(N,)``.
        counts: Images to take per class, shape ``(K,)``.
        seed: Of the shuffle.
        first: Images of every shuffled class to pass over.

    Returns:
        Positions in ``labels``, shape ``(counts.sum(),)``.
    """
    generator = np.random.RandomState(seed)
    chosen = []
    for label, count in enumerate(counts):
        positions = np.flatnonzero(labels == label)
        generator.shuffle(positions)
        chosen.append(positions[first : first + count])
    return np.concatenate(chosen)
