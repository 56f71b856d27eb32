"""A long tail cut out of any data set, with a balanced part held out beside it.

Both parts come from one shuffle of each class: its first images are held out, the next ones make the
tail. So they cannot overlap, the held-out part is the same for every imbalance ratio, and with nothing
held out the tail is the published CIFAR-LT selection, order included. A published selection can also be
read from a file; then the held-out part comes from what it leaves out.
"""

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset, force_full_init
from numpy.typing import NDArray

from mmdrl.datasets.arguments import with_pipeline
from mmdrl.datasets.batches import GivesBatches, ImageBatch, keeps_ways_of
from mmdrl.datasets.columns import same_class_after
from mmdrl.datasets.labels import check_labels, dataset_labels
from mmdrl.datasets.long_tail.description import description
from mmdrl.datasets.long_tail.selection import select
from mmdrl.datasets.long_tail.settings import ClassOrder, LongTailSettings, Part
from mmdrl.datasets.wrappers import locate, metainfo_of
from mmdrl.errors import DataError
from mmdrl.registry import DATASETS
from mmdrl.stats import Edges, Profile, imbalance_ratio, shot_groups


@DATASETS.register_module()
class LongTailDataset(GivesBatches):
    """A wrapped data set thinned to a long-tail profile, or the balanced part held out from it.

    An image that the wrapped set repeats (RepeatDataset, ConcatDataset, ...) is there once, from its first place. A
    sample that the pipeline cannot give is replaced by the next one of its class in this part.

    Args:
        dataset: Data set or its config, wrapped or not.
        imbalance_ratio: Images of the largest class over those of the smallest, at least 1. Beside
            ``indices_file`` it may be left out; given, the selection must have it.
        profile: Law by which the counts fall, see :func:`mmdrl.stats.long_tail_counts`.
        seed: Of the shuffle, below 2**32. Both parts must be given the same.
        max_count: Images of the largest class. None: as many as the smallest class of the wrapped set
            has left after the hold-out, so that no class runs short.
        holdout_per_class: Images of every class that are kept out of the tail.
        part: ``'train'``: the tail. ``'holdout'``: the images kept out.
        class_order: Which class gets the most images, and so on: ``'label'`` (CIFAR-LT), ``'size'`` in the wrapped
            set with ties by label, or a list of all labels.
        indices_file: A published selection to take in its order: positions in the original set, as ``.npz``,
            ``.npy`` or text with one per line. They are looked up in the ``index`` of an
            :class:`~mmdrl.datasets.ArrayDataset` or CIFAR that has one, else they are positions in the wrapped set.
        indices_key: Name of the array in an ``.npz`` that holds several.
        pipeline: Transforms of the wrapped set, in place of its own. A tool that looks for them in the config of the
            outermost data set, as MMPretrain's inferencer does, finds them here.
        lazy_init: Read the wrapped set at the first use instead of now.

    Attributes:
        indices: Positions in the wrapped set, shape ``(n,)``; one class after the other, or as published.
        class_counts: Images per class of this part, shape ``(K,)``; as a list in ``metainfo``, too.

    Raises:
        ConfigError: If an argument is out of range, or the wrapped set mixes images.
        DataError: If a class has too few images, or the published selection does not fit the data.

    Source: the rule of the code of Cao et al., "Learning Imbalanced Datasets with Label-Distribution-
    Aware Margin Loss", NeurIPS 2019 (CIFAR-LT is ``profile='exp'``, ``seed=0``, ``holdout_per_class=0``).
    """

    def __init__(
        self,
        dataset: Any,
        imbalance_ratio: float | None = None,
        profile: Profile = 'exp',
        seed: int = 0,
        max_count: int | None = None,
        holdout_per_class: int = 0,
        part: Part = 'train',
        class_order: ClassOrder | Sequence[int] = 'label',
        indices_file: str = '',
        indices_key: str = '',
        pipeline: Sequence[Any] | None = None,
        lazy_init: bool = False,
    ):
        self.settings = LongTailSettings(
            imbalance_ratio=imbalance_ratio,
            profile=profile,
            seed=seed,
            max_count=max_count,
            holdout_per_class=holdout_per_class,
            part=part,
            class_order=class_order,
            indices_file=indices_file,
            indices_key=indices_key,
        )
        if pipeline is not None:
            dataset = with_pipeline(dataset, pipeline)
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
        if num_classes > len(labels):  # told before arrays of that length are made
            raise DataError(f'{name} has {num_classes} classes but {len(labels)} images, too few for all of them.')
        self.indices = select(self.dataset, labels, num_classes, self.settings)
        self._labels = labels[self.indices]
        self.class_counts = np.bincount(self._labels, minlength=num_classes)
        self._fully_initialized = True

    @property
    def metainfo(self) -> dict:
        """A copy of the wrapped set's meta information, with ``class_counts`` of this part as a list."""
        metainfo = metainfo_of(self.dataset)
        if self._fully_initialized:
            metainfo['class_counts'] = self.class_counts.tolist()
        return metainfo

    # No more is forwarded: get_subset or data_list would speak of other images, and `pipeline` belongs to `.dataset`.
    @property
    def CLASSES(self) -> tuple[str, ...] | None:
        """Names of the classes, or None if the wrapped set has none."""
        return metainfo_of(self.dataset).get('classes')

    @property
    @force_full_init
    def actual_imbalance_ratio(self) -> float:
        """Largest class over smallest class of this part; whole images make it differ from the one asked for."""
        return imbalance_ratio(self.class_counts)

    @force_full_init
    def shot_groups(self, many: int = 100, few: int = 20, edges: Edges = 'exclusive') -> dict[str, NDArray[np.bool_]]:
        """Classes of the many-, medium- and few-shot group, see :func:`mmdrl.stats.shot_groups`."""
        return shot_groups(self.class_counts, many, few, edges)

    @force_full_init
    def __len__(self) -> int:
        return len(self.indices)

    @force_full_init
    def __getitem__(self, index: int) -> Any:
        dataset, position = locate(self.dataset, int(self.indices[index]))
        if not isinstance(dataset, BaseDataset) or dataset.test_mode:
            return dataset[position]
        # Left to itself the data set would put any of its images in place of one that the pipeline cannot give.
        data = dataset.prepare_data(position)
        if data is not None:
            return data
        for other in same_class_after(self._labels, index):
            dataset, position = locate(self.dataset, int(self.indices[other]))
            data = dataset.prepare_data(position) if isinstance(dataset, BaseDataset) else dataset[position]
            if data is not None:
                return data
        raise DataError(
            f"The pipeline gave nothing for any image of class {self._labels[index]} in part '{self.settings.part}'."
        )

    def gives_batches(self) -> bool:
        """Whether the wrapped set gives batches whole."""
        is_ours = isinstance(self.dataset, GivesBatches) and keeps_ways_of(self, LongTailDataset, ['__getitem__'])
        return is_ours and self.dataset.gives_batches()

    def whole_batch(self, positions: NDArray[np.int64], seeds: NDArray[np.int64] | None = None) -> ImageBatch:
        """Samples at these positions of this part, from 0, if :meth:`gives_batches`."""
        return self.dataset.whole_batch(self.indices[positions], seeds)

    @force_full_init
    def get_data_info(self, index: int) -> dict:
        """Data of one image of this part; its ``sample_idx`` is the position in the innermost set."""
        dataset, position = locate(self.dataset, int(self.indices[index]))
        return dataset.get_data_info(position)

    @force_full_init
    def get_cat_ids(self, index: int) -> list[int]:
        """Label of one image of this part, in a list as MMEngine's wrappers want it."""
        return [int(self._labels[index])]

    @force_full_init
    def get_gt_labels(self) -> NDArray[np.int64]:
        """Labels of this part, shape ``(n,)``."""
        return self._labels.copy()

    @force_full_init
    def get_subset(self, indices: list[int]) -> 'LongTailDataset':
        """The samples at these positions as a data set of its own, as KFoldDataset wants it."""
        subset = copy(self)
        subset.indices, subset._labels = self.indices[indices], self._labels[indices]
        subset.class_counts = np.bincount(subset._labels, minlength=len(self.class_counts))
        return subset

    def __repr__(self) -> str:
        return description(self)
