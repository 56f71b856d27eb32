"""Batch-balanced sampling: every batch holds so many classes, and so many images of each."""

from collections.abc import Sized

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.arguments import check_whole
from mmdrl.errors import ConfigError
from mmdrl.registry import DATA_SAMPLERS

from .class_sampler import ClassSampler, NumSamples
from .rounds import order_by_rounds


@DATA_SAMPLERS.register_module()
class BatchBalancedSampler(ClassSampler):
    """Draw blocks of P different classes with S images of each, S in a row.

    Classes are visited in rounds over all of them, so that each occurs equally often, and no block holds a class
    twice, not even where a round ends in it. The images of a class in a block differ as far as the class has S of
    them, and a class goes through all its images before one comes again.

    A block is a batch if the batches of all processes together hold P x S samples, which is ``block_size``.
    Each of W processes then gets every W-th sample of it: S/W images of each class, if W divides S.

    Args:
        dataset: Data set that tells its labels.
        classes_per_batch: P, at most the number of classes.
        samples_per_class: S, at least 1. More than a class has repeats some.
        num_samples: Length of an epoch over all processes; if it is no multiple of P x S, the last block is cut
            short, as ``'images'`` may leave it. None: the number of images, rounded up to whole blocks.
        seed: Of the order, at least 0. None: one that all processes agree on.

    Attributes:
        block_size: P x S, the samples of a batch over all processes.

    Raises:
        ConfigError: If a number is out of range, or there are more processes than samples.
        DataError: If a class below the largest label has no image.

    Source: Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", 2017, section 2 (P x K).
    """

    def __init__(
        self,
        dataset: Sized,
        classes_per_batch: int,
        samples_per_class: int,
        num_samples: NumSamples = None,
        seed: int | None = None,
    ):
        check_whole('classes_per_batch', classes_per_batch, 1)
        check_whole('samples_per_class', samples_per_class, 1)
        self.classes_per_batch, self.samples_per_class = int(classes_per_batch), int(samples_per_class)
        self.block_size = self.classes_per_batch * self.samples_per_class
        super().__init__(dataset, num_samples, seed)
        num_classes = len(self.classes.counts)
        if self.classes_per_batch > num_classes:
            raise ConfigError(
                f'A batch of {self.classes_per_batch} different classes cannot be drawn from {num_classes}. '
                f'Lower classes_per_batch; more samples_per_class keep the batch as large.'
            )

    def default_num_samples(self) -> int:
        """The images of the data set, rounded up to whole blocks."""
        return -(-super().default_num_samples() // self.block_size) * self.block_size

    def draw(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """Positions of the samples of one epoch, shape ``(num_samples,)``."""
        return order_by_rounds(
            self.classes,
            self.samples_per_class,
            self.num_samples,
            generator,
            classes_per_block=self.classes_per_batch,
            is_distinct=True,
        )
