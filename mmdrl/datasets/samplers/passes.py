"""Images of every class in random order, pass by pass: none comes again before its class is through.

All classes are shuffled at once: one permutation of their images, then a stable sort by class, for which NumPy has a
radix sort if the classes are numbered by 16 bits. So the time does not depend on how many classes there are.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.labels import check_labels
from mmdrl.errors import DataError

CHUNK = 2**16  # images shuffled together: so many fit a core's cache, and number at most as many passes


class ClassImages(NamedTuple):
    """Images of a data set by class.

    Attributes:
        positions: Positions in the data set, shape ``(N,)``: those of class 0, then of class 1, and so on.
        counts: Images per class, shape ``(K,)``, each at least 1.
    """

    positions: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each class begins in ``positions``, shape ``(K,)``."""
        return self.counts.cumsum() - self.counts


def group_by_class(labels: NDArray[np.int64], where: str = 'The labels') -> ClassImages:
    """Images by class, from the labels of all images.

    Args:
        labels: Shape ``(N,)``, from 0.
        where: What holds the labels, as the beginning of a message.

    Raises:
        DataError: If a label is negative, or a class below the largest label has no image.
    """
    check_labels(labels, where=where)
    counts = np.bincount(labels, minlength=1)
    if counts.min() < 1:
        raise DataError(
            f'Class {counts.argmin()} has no image, so it cannot be drawn. {where} must name every class from 0 to '
            'the largest: do they skip a number?'
        )
    return ClassImages(_stable_argsort(labels, len(counts)), counts)


def class_passes(classes: ClassImages, draws: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """The first ``draws[c]`` images of each class c, that goes through its images again and again.

    Every pass over a class is in a random order of its own.

    Args:
        classes: Images by class.
        draws: Images to draw per class, shape ``(K,)``, at least 0.
        generator: Source of all randomness.

    Returns:
        Positions in the data set, shape ``(draws.sum(),)``: of class 0 in the order of drawing, then of class 1, ...
    """
    passes = -(-draws // classes.counts)
    of_class = np.repeat(np.arange(len(draws)), passes)  # class of each pass
    sizes, sources = classes.counts[of_class], classes.starts[of_class]
    taken = sizes.copy()
    taken[(passes.cumsum() - 1)[passes > 0]] += (draws - passes * classes.counts)[passes > 0]  # the last is cut short
    drawn = np.empty(draws.sum(), dtype=np.int64)
    filled = 0
    for chunk in _chunks(sizes):
        size = sizes[chunk]
        begin = size.cumsum() - size
        row = np.repeat(np.arange(len(size)), size)  # pass of each image in this chunk
        image = np.arange(len(row))
        shuffled = _shuffled_groups(image, row, generator)[image - begin[row] < taken[chunk][row]]
        images = classes.positions[shuffled + (sources[chunk] - begin)[row[shuffled]]]
        drawn[filled : filled + len(images)] = images
        filled += len(images)
    return drawn


def class_passes_in_blocks(
    classes: ClassImages, draws: NDArray[np.int64], block: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """As :func:`class_passes`, but no block of images holds one twice.

    Blocks are ``block`` images of a class in a row. One that begins in a pass and ends in the next takes its second
    part from those that are not in the first, each such choice and order equally likely. A class of fewer images
    than ``block`` cannot but repeat some.

    Args:
        classes: Images by class.
        draws: Images to draw per class, shape ``(K,)``, at least 0.
        block: Images in a row that must differ, at least 1.
        generator: Source of all randomness.

    Returns:
        Positions as :func:`class_passes` has them.
    """
    is_cut = (classes.counts > block) & (classes.counts % block > 0)  # blocks of the others end with a pass
    if not is_cut.any():
        return class_passes(classes, draws, generator)
    starts = draws.cumsum() - draws
    drawn = np.empty(draws.sum(), dtype=np.int64)
    drawn[np.repeat(~is_cut, draws)] = class_passes(classes, np.where(is_cut, 0, draws), generator)

    label = np.repeat(np.arange(len(draws)), classes.counts)
    place = np.arange(len(label)) - classes.starts[label]  # of an image in the pass of its class
    line, done = classes.positions, 0
    is_left = is_cut & (draws > 0)
    while is_left.any():
        stays = is_left[label]
        label, place, line = label[stays], place[stays], line[stays]
        size = classes.counts[label]
        begun = done * size % block  # images of the last pass in a block that goes on in this one
        line = _shuffled_groups(line, 2 * label + (place >= size - begun), generator)
        if done > 0:
            line = _shuffled_groups(line, 2 * label + (place >= -begun % block), generator)
        when = done * size + place
        is_drawn = when < draws[label]
        drawn[(starts[label] + when)[is_drawn]] = line[is_drawn]
        done += 1
        is_left &= draws > done * classes.counts
    return drawn


def _shuffled_groups(
    values: NDArray[np.int64], groups: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.int64]:
    """The values, those of each group shuffled and the groups in ascending order; both ``(M,)``, groups from 0."""
    shuffle = generator.permutation(len(values))
    return values[shuffle[_stable_argsort(groups[shuffle], int(groups.max(initial=0)) + 1)]]


def _stable_argsort(numbers: NDArray[np.int64], end: int) -> NDArray[np.int64]:
    """Positions of the numbers in ascending order; they lie in ``[0, end)``."""
    return np.argsort(numbers.astype(np.min_scalar_type(end - 1)), kind='stable')


def _chunks(sizes: NDArray[np.int64]) -> list[slice]:
    """Successive passes in chunks of about ``CHUNK`` images, a larger pass alone."""
    last = sizes.cumsum() - 1
    edges = np.flatnonzero(np.diff(last // CHUNK)) + 1
    bounds = [0, *edges.tolist(), len(sizes)]
    return [slice(begin, end) for begin, end in pairwise(bounds) if begin < end]
