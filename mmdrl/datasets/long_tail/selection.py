"""Which images of each class are taken: by one shuffle, or by a published list of positions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.long_tail.original_positions import find_positions, left_out
from mmdrl.datasets.long_tail.position_file import read_positions
from mmdrl.datasets.long_tail.settings import LongTailSettings
from mmdrl.datasets.same_images import distinct_images
from mmdrl.datasets.wrappers import mixes_images
from mmdrl.errors import ConfigError, DataError
from mmdrl.stats import long_tail_counts


def select(dataset: Any, labels: NDArray[np.int64], num_classes: int, settings: LongTailSettings) -> NDArray[np.int64]:
    """Positions in the data set of the images of a tail or of its hold-out, shape ``(n,)``; no image twice.

    Args:
        dataset: Wrapped or not; read already.
        labels: Of its samples, shape ``(N,)``, in ``[0, num_classes)``.
        num_classes: K.
        settings: What to choose.

    Raises:
        ConfigError: If the settings leave a class without an image, or the data set mixes images.
        DataError: If a class has too few images, or a published selection does not fit.
    """
    if mixes_images(dataset):
        raise ConfigError(
            'A long tail cannot be cut from mixed images: BalancedMixup would mix in those that are left out, held-out '
            "ones too. Put it around the tail: dict(type='mmdrl.BalancedMixup', dataset=dict("
            "type='mmdrl.LongTailDataset', ...))."
        )
    distinct = distinct_images(dataset)
    available = np.bincount(labels[distinct], minlength=num_classes)
    held = np.full(num_classes, settings.holdout_per_class)
    if settings.indices_file:
        indices = _published(dataset, labels, available, settings)
        spare = left_out(dataset, indices)
        _check_spare(np.bincount(labels[spare], minlength=num_classes), settings)
        if settings.part == 'train':
            return indices
        return spare[shuffled_class_indices(labels[spare], held, settings.seed)]
    if settings.part == 'holdout':
        _check_supply(available, held, settings)
        return distinct[shuffled_class_indices(labels[distinct], held, settings.seed)]
    _check_supply(available, held + 1, settings)
    tail = _tail_counts(available, int((available - held).min()), settings)
    _check_supply(available, held + tail, settings)
    chosen = shuffled_class_indices(labels[distinct], tail, settings.seed, first=settings.holdout_per_class)
    return distinct[chosen]


def shuffled_class_indices(
    labels: NDArray[np.int64], counts: NDArray[np.int64], seed: int, first: int = 0
) -> NDArray[np.int64]:
    """Positions ``first : first + counts[c]`` of each shuffled class c, one class after the other.

    One ``RandomState(seed)`` shuffles the ascending positions of class 0, then of class 1, and so on:
    the stream of ``np.random.seed(seed)`` in the published code.

    Args:
        labels: Shape ``(N,)``, in ``[0, K)``.
        counts: Images to take per class, shape ``(K,)``.
        seed: Of the shuffle.
        first: Images of every shuffled class to pass over.

    Returns:
        Positions in ``labels``, shape ``(counts.sum(),)``.

    Source: the code of Cao et al., "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss",
    NeurIPS 2019.
    """
    generator = np.random.RandomState(seed)
    ends = np.bincount(labels, minlength=len(counts)).cumsum()
    chosen = []
    for positions, count in zip(np.split(np.argsort(labels, kind='stable'), ends[:-1]), counts, strict=True):
        generator.shuffle(positions)
        chosen.append(positions[first : first + count])
    return np.concatenate(chosen)


def _published(
    dataset: Any, labels: NDArray[np.int64], available: NDArray[np.int64], settings: LongTailSettings
) -> NDArray[np.int64]:
    """The selection of the file, checked against the ratio if that is given, too."""
    where = f'indices_file {settings.indices_file}'
    indices = find_positions(dataset, read_positions(settings.indices_file, settings.indices_key), where)
    counts = np.bincount(labels[indices], minlength=len(available))
    if counts.min() == 0:
        raise DataError(
            f'{where} leaves {int((counts == 0).sum())} of {len(counts)} classes without an image (class '
            f'{counts.argmin()} first). Does it belong to this data set?'
        )
    if settings.imbalance_ratio is not None:
        expected = _tail_counts(available, int(counts.max()), settings)
        wrong = int((counts != expected).argmax())
        if counts[wrong] != expected[wrong]:
            raise DataError(
                f'{where} has {counts[wrong]} images of class {wrong}, but imbalance_ratio={settings.imbalance_ratio} '
                f'({settings.profile}) means {expected[wrong]}. Mend one of them, or leave imbalance_ratio out.'
            )
    return indices


def _tail_counts(available: NDArray[np.int64], largest: int, settings: LongTailSettings) -> NDArray[np.int64]:
    """Images per class of the tail in label order, (K,); ``largest`` of the first unless ``max_count`` says."""
    num_classes = len(available)
    if isinstance(settings.class_order, str):
        order = np.arange(num_classes)
        if settings.class_order == 'size':
            order = np.argsort(-available, kind='stable')
    elif sorted(settings.class_order) == list(range(num_classes)):
        order = np.asarray(settings.class_order)
    else:
        raise ConfigError(
            f'class_order must name each of the labels 0 to {num_classes - 1} once, or be one of '
            f"'label', 'size'; got {list(settings.class_order)!r:.80}."
        )
    largest = largest if settings.max_count is None else settings.max_count
    counts = np.empty(num_classes, dtype=np.int64)
    try:
        counts[order] = long_tail_counts(num_classes, largest, settings.imbalance_ratio or 1.0, settings.profile)
    except ValueError as error:
        raise ConfigError(f'This long tail cannot be cut. {error}') from error
    return counts


def _check_supply(available: NDArray[np.int64], needed: NDArray[np.int64], settings: LongTailSettings) -> None:
    """Raise if a class has fewer images than are held out and taken for the tail."""
    is_short = available < needed
    if is_short.any():
        short = int(is_short.argmax())
        raise DataError(
            f'Class {short} has {available[short]} images, but {needed[short]} are needed, of which '
            f'{settings.holdout_per_class} are held out. Lower max_count or holdout_per_class.'
        )


def _check_spare(spare: NDArray[np.int64], settings: LongTailSettings) -> None:
    """Raise if the published tail leaves too few images of a class to hold out."""
    if spare.min() < settings.holdout_per_class:
        raise DataError(
            f'indices_file {settings.indices_file} leaves {spare.min()} images of class {spare.argmin()}, but '
            f'holdout_per_class is {settings.holdout_per_class}. Published tails take all of their largest class: '
            'validate on another set, or cut the tail by imbalance_ratio instead.'
        )
