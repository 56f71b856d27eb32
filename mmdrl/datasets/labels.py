"""The labels of any data set, wrapped or not.

Class counts, long tails and samplers all start from one array of labels. MMEngine's wrappers do not
hand it on (ConcatDataset and RepeatDataset have no ``get_gt_labels``), so it is put together here.
"""

from typing import Any

import numpy as np
from mmpretrain.datasets import KFoldDataset
from numpy.typing import ArrayLike, NDArray

from mmdrl.datasets.wrappers import parts_of, read
from mmdrl.errors import DataError

MAX_CLASSES = 10_000_000  # counts of all classes are kept in arrays: a label that is a date or an id would fill memory


def dataset_labels(dataset: Any) -> NDArray[np.int64]:
    """Label of every sample, in the order of ``dataset[0]``, ``dataset[1]``, ...

    Looks through the wrappers of :func:`mmdrl.datasets.wrappers.parts_of`. Below them asks ``get_gt_labels()``,
    else ``get_cat_ids(i)``, else ``get_data_info(i)['gt_label']``; no image is loaded for it.

    Args:
        dataset: Data set of MMEngine or MMPretrain with one label per sample.

    Returns:
        Labels, shape ``(N,)`` with N the length of the data set; the caller's own.

    Raises:
        DataError: If the data set tells no labels, more than one per sample, or a number of them that
            is not its length.
    """
    read(dataset)
    # KFoldDataset asks the data set behind it, which may not have the method.
    tells_itself = hasattr(type(dataset), 'get_gt_labels') and not isinstance(dataset, KFoldDataset)
    parts = None if tells_itself else parts_of(dataset)
    if parts is None:
        labels = np.asarray(_own_labels(dataset))
    else:
        labels = np.concatenate([dataset_labels(part)[positions] for part, positions in parts])
    name = type(dataset).__name__
    if labels.ndim != 1 or not (np.issubdtype(labels.dtype, np.integer) or labels.size == 0):
        raise DataError(
            f'{name} must have one integer label per sample, got labels of type {labels.dtype} and shape '
            f'{labels.shape}. Multi-label data cannot be sampled or counted by class.'
        )
    if len(labels) != len(dataset):
        raise DataError(f'{name} has {len(dataset)} samples but tells {len(labels)} labels.')
    return labels.astype(np.int64)


def _own_labels(dataset: Any) -> ArrayLike:
    """Labels by the first of three interfaces that the data set really implements."""
    if hasattr(dataset, 'get_gt_labels'):
        return dataset.get_gt_labels()
    positions = range(len(dataset))
    if hasattr(dataset, 'get_cat_ids'):
        try:
            return [_single(dataset.get_cat_ids(position), position) for position in positions]
        except NotImplementedError:  # what MMEngine's BaseDataset answers unless a subclass writes it
            pass
    if hasattr(dataset, 'get_data_info'):
        try:
            return [_single(dataset.get_data_info(position)['gt_label'], position) for position in positions]
        except KeyError as error:
            raise DataError(
                f"The data of {type(dataset).__name__} have no field 'gt_label'; implement get_gt_labels()."
            ) from error
    raise DataError(
        f'{type(dataset).__name__} does not tell its labels: it needs get_gt_labels() -> (N,), '
        'get_cat_ids(index) or get_data_info(index).'
    )


def _single(label: ArrayLike, position: int) -> int:
    """The only label of a sample."""
    label = np.atleast_1d(label)
    if label.size != 1:
        raise DataError(f'Expected one label per sample, but sample {position} has {label.size}: {label}.')
    return label.item()


def check_labels(labels: ArrayLike, num_classes: int | None = None, *, where: str = 'The labels') -> None:
    """Raise unless every label lies in ``[0, num_classes)``.

    Args:
        labels: Integer labels, shape ``(N,)``.
        num_classes: K; None: no more than a label can sensibly be, ``MAX_CLASSES``.
        where: What holds the labels, as the beginning of the message.

    Raises:
        DataError: If a label lies outside; it names the first such label and its position.
    """
    labels = np.asarray(labels)
    is_outside = (labels < 0) | (labels >= (MAX_CLASSES if num_classes is None else num_classes))
    if is_outside.any():
        first = int(is_outside.argmax())
        bound = f'in [0, {num_classes})'
        if num_classes is None:
            bound = 'at least 0' if labels[first] < 0 else f'below {MAX_CLASSES:,}, as classes are numbered from 0'
        raise DataError(
            f'{where} must be {bound}, got {labels[first]} at position {first} '
            f'({int(is_outside.sum())} of {labels.size} are outside). Does num_classes match the data?'
        )
