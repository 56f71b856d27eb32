"""Power-law sampling: between drawing images alike and drawing classes alike, and beyond."""

from collections.abc import Sized

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.arguments import check_finite
from mmdrl.registry import DATA_SAMPLERS

from .class_sampler import ClassSampler, NumSamples
from .shares import order_by_shares


@DATA_SAMPLERS.register_module()
class PowerSampler(ClassSampler):
    r"""Draw class c with a share that is a power of its size.

    .. math:: p_c \propto n_c^q

    q = 1 draws instances alike, 1/2 by the square root, 0 classes alike, below 0 the tail more often than the head.
    Shares are kept to the draw, see :func:`mmdrl.datasets.samplers.allot_draws`, and images of a class occur equally
    often or differ by one: q = 1 with as many samples as images is a plain shuffle.

    Args:
        dataset: Data set that tells its labels.
        power: q, finite.
        num_samples: Length of an epoch over all processes. None: the number of images, so that an epoch costs what a
            plain one does.
        seed: Of the order, at least 0. None: one that all processes agree on.

    Raises:
        ConfigError: If a number is out of range, or there are more processes than samples.
        DataError: If a class below the largest label has no image.

    Source: Mahajan et al., "Exploring the Limits of Weakly Supervised Pretraining", ECCV 2018 (square root); the
    family as in Kang et al., "Decoupling Representation and Classifier", ICLR 2020, equation 1.
    """

    def __init__(self, dataset: Sized, power: float = 0.0, num_samples: NumSamples = None, seed: int | None = None):
        check_finite('power', power)
        self.power = float(power)
        super().__init__(dataset, num_samples, seed)

    def draw(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """Positions of the samples of one epoch, shape ``(num_samples,)``."""
        counts = self.classes.counts
        largest = counts.max() if self.power > 0 else counts.min()  # has share 1: nothing overflows
        return order_by_shares(self.classes, (counts / largest) ** self.power, self.num_samples, generator)
