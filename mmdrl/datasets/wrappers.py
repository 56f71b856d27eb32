"""What lies behind the wrappers of MMEngine, MMPretrain and torch.

Each of them takes samples of one or more data sets by position. Everything else about a wrapped set (its
labels, which samples are one image, which data set can give a sample) follows from those positions.
"""

from bisect import bisect_right
from typing import Any

import numpy as np
from mmengine.dataset import ClassBalancedDataset, RepeatDataset
from mmengine.runner.runner import _SlicedDataset
from mmpretrain.datasets import KFoldDataset
from numpy.typing import NDArray
from torch.utils.data import ConcatDataset

from mmdrl.errors import ConfigError


def parts_of(dataset: Any) -> list[tuple[Any, NDArray[np.int64]]] | None:
    """Data sets directly behind a wrapper, each with the positions taken from it, in order.

    Args:
        dataset: ConcatDataset, RepeatDataset, ClassBalancedDataset, KFoldDataset, the slice that
            ``num_batch_per_epoch`` makes, or what picks ``.indices`` of its ``.dataset`` (torch's Subset,
            LongTailDataset); read already.

    Returns:
        None for anything else: it is no wrapper.
    """
    # The slice comes first: it forwards every attribute to the whole set.
    if isinstance(dataset, _SlicedDataset):
        return [(dataset._dataset, np.arange(min(len(dataset), len(dataset._dataset))))]
    if isinstance(dataset, ConcatDataset):
        parts: list[Any] = dataset.datasets
        return [(part, np.arange(len(part))) for part in parts]
    if isinstance(dataset, RepeatDataset):
        return [(dataset.dataset, np.tile(np.arange(len(dataset.dataset)), dataset.times))]
    if isinstance(dataset, ClassBalancedDataset):
        return [(dataset.dataset, np.asarray(dataset.repeat_indices, dtype=np.int64))]
    if isinstance(dataset, KFoldDataset):
        return [(dataset.dataset, np.arange(len(dataset)))]  # full_init put the fold in place of the whole set
    if hasattr(dataset, 'dataset') and hasattr(dataset, 'indices'):
        return [(dataset.dataset, np.asarray(dataset.indices, dtype=np.int64))]
    return None


def locate(dataset: Any, position: int) -> tuple[Any, int]:
    """The innermost data set that gives a sample as it is here, and the position there.

    Args:
        dataset: As :func:`parts_of` takes it, nested or not.
        position: Of the sample, at least 0.
    """
    while True:
        if isinstance(dataset, _SlicedDataset):
            dataset = dataset._dataset
            continue
        if isinstance(dataset, ConcatDataset):
            part = bisect_right(dataset.cumulative_sizes, position)
            position -= dataset.cumulative_sizes[part - 1] if part else 0
            dataset = dataset.datasets[part]
            continue
        if isinstance(dataset, RepeatDataset):
            position %= len(dataset.dataset)
        elif isinstance(dataset, ClassBalancedDataset):
            position = dataset.repeat_indices[position]
        elif not isinstance(dataset, KFoldDataset):
            if not (hasattr(dataset, 'dataset') and hasattr(dataset, 'indices')):
                return dataset, position
            position = int(dataset.indices[position])
        dataset = dataset.dataset


def mixes_images(dataset: Any) -> bool:
    """Whether a data set, or one that it wraps, mixes images with others of its own; read already."""
    is_mixing = getattr(dataset, 'is_mixing', False)
    return is_mixing or any(mixes_images(part) for part, _ in parts_of(dataset) or ())


def read(dataset: Any) -> Any:
    """The data set, after it has read its annotations."""
    if not isinstance(dataset, _SlicedDataset) and hasattr(dataset, 'full_init'):
        dataset.full_init()
    return dataset


def whole_dataset(dataset: Any) -> Any:
    """The data set behind ``num_batch_per_epoch``, which shortens an epoch and leaves the classes as they are."""
    return dataset._dataset if isinstance(dataset, _SlicedDataset) else dataset


def check_slice(dataset: Any) -> None:
    """An epoch that ``num_batch_per_epoch`` shortens must not be longer than its data set.

    Raises:
        ConfigError: If it is: MMEngine would ask for images that are not there.
    """
    if isinstance(dataset, _SlicedDataset) and len(dataset) > len(dataset._dataset):
        raise ConfigError(
            f'num_batch_per_epoch must leave an epoch within the data set, got {len(dataset)} images of '
            f'{len(dataset._dataset)}. Lower it, or leave it out; a sampler with num_samples makes longer epochs.'
        )


def metainfo_of(dataset: Any) -> dict[str, Any]:
    """Meta information of a data set and of what it wraps, the outermost first; of joined ones, of the first part.

    A wrapper copies that of its data set when it is built, which may be before the data set has read its own.
    """
    inner = dataset.datasets[0] if isinstance(dataset, ConcatDataset) else getattr(dataset, 'dataset', None)
    behind = {} if inner is None else metainfo_of(inner)
    return {**behind, **getattr(dataset, 'metainfo', {})}
