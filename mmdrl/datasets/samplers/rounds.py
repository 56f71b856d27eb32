"""Classes visited in rounds: each once per round, in a new random order every time."""

import numpy as np
from numpy.typing import NDArray

from .passes import ClassImages, class_passes_in_blocks


def class_rounds(
    num_classes: int, num_visits: int, generator: np.random.Generator, classes_per_block: int = 1
) -> NDArray[np.int64]:
    """Class of each visit, in rounds over all classes; no block of visits holds a class twice.

    A block that begins in a round and ends in the next takes its second part from the classes that are not in the
    first; all rounds that keep to this are equally likely.

    Args:
        num_classes: K.
        num_visits: Length of the sequence; the last round may be cut short.
        generator: Source of all randomness.
        classes_per_block: Visits in a row that must differ, at most K.

    Returns:
        Classes, shape ``(num_visits,)``.
    """
    num_rounds = -(-num_visits // num_classes)
    if num_classes % classes_per_block == 0:
        rounds = np.tile(np.arange(num_classes), (num_rounds, 1))
        return generator.permuted(rounds, axis=1, out=rounds).ravel()[:num_visits]
    rounds = np.empty((num_rounds, num_classes), dtype=np.int64)
    last = np.arange(num_classes)
    for number, classes in enumerate(rounds):
        begun = number * num_classes % classes_per_block  # visits of the last round in a block that goes on
        others = generator.permutation(last[: num_classes - begun])
        ahead = -begun % classes_per_block
        classes[:ahead] = others[:ahead]
        classes[ahead:] = generator.permutation(np.concatenate([others[ahead:], last[num_classes - begun :]]))
        last = classes
    return rounds.ravel()[:num_visits]


def order_by_rounds(
    classes: ClassImages,
    samples_per_class: int,
    num_samples: int,
    generator: np.random.Generator,
    classes_per_block: int = 1,
    is_distinct: bool = False,
) -> NDArray[np.int64]:
    """Positions of the samples of one epoch: ``samples_per_class`` images at each visit of a class.

    Classes are visited as :func:`class_rounds` says. A visit takes the next images of its class, which goes through
    all of them in random order before one comes again, and then shuffles them anew.

    Args:
        classes: Images by class.
        samples_per_class: Images of a visit, at least 1. More than the class has repeats some.
        num_samples: Length of the epoch, at least 1; the last visit is cut short if it does not fit.
        generator: Source of all randomness.
        classes_per_block: Visits in a row that are of different classes.
        is_distinct: Whether a visit that goes beyond the last image of its class avoids those it has already.

    Returns:
        Positions in the data set, shape ``(num_samples,)``.
    """
    num_classes = len(classes.counts)
    num_visits = -(-num_samples // samples_per_class)
    visits = class_rounds(num_classes, num_visits, generator, classes_per_block)
    draws = np.bincount(visits, minlength=num_classes) * samples_per_class
    block = samples_per_class if is_distinct else 1
    images = class_passes_in_blocks(classes, draws, block, generator).reshape(-1, samples_per_class)
    # The visits of a class lie together in `images`, and its visit of round r is the r-th of them.
    starts = (draws.cumsum() - draws) // samples_per_class
    return images[starts[visits] + np.arange(num_visits) // num_classes].reshape(-1)[:num_samples]
