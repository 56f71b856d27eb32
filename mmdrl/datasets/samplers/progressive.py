"""Progressively balanced sampling: from drawing images alike to drawing classes alike, epoch by epoch."""

from collections.abc import Sized

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.arguments import check_whole
from mmdrl.registry import DATA_SAMPLERS

from .class_sampler import ClassSampler, NumSamples
from .shares import order_by_shares


@DATA_SAMPLERS.register_module()
class ProgressiveSampler(ClassSampler):
    r"""Draw instances alike at first and classes alike at last.

    .. math:: p_c(t) = (1 - t/T) \frac{n_c}{N} + \frac{t}{T} \frac{1}{K}

    t counts epochs from ``begin`` and T is the last one, ``num_epochs - 1``: the first epoch is instance-balanced, the
    last class-balanced, and so is every later one. Where training goes by iterations, MMEngine counts passes over the
    loader as epochs: give ``num_epochs`` in passes.

    Args:
        dataset: Data set that tells its labels.
        num_epochs: Epochs of the transition, at least 1; a single one is instance-balanced.
        begin: First epoch, for a stage that does not start the training. Earlier ones are instance-balanced.
            ``TwoStageHook`` knows both numbers of its stages, and gives those that are not set.
        num_samples: Length of an epoch over all processes. None: the number of images, so that an epoch costs what a
            plain one does.
        seed: Of the order, at least 0. None: one that all processes agree on.

    Raises:
        ConfigError: If a number is out of range, or there are more processes than samples.
        DataError: If a class below the largest label has no image.

    Source: Kang et al., "Decoupling Representation and Classifier for Long-Tailed Recognition", ICLR 2020, equation 2.
    There T is the number of epochs, which leaves the last epoch a little short of balance.
    """

    def __init__(
        self,
        dataset: Sized,
        num_epochs: int,
        begin: int = 0,
        num_samples: NumSamples = None,
        seed: int | None = None,
    ):
        check_whole('num_epochs', num_epochs, 1)
        check_whole('begin', begin, 0)
        self.num_epochs, self.begin = int(num_epochs), int(begin)
        super().__init__(dataset, num_samples, seed)

    @property
    def progress(self) -> float:
        """How far this epoch is on the way, t / T in [0, 1]."""
        last = self.num_epochs - 1
        done = self.epoch - self.begin
        return float(done > last) if last == 0 else min(max(done / last, 0.0), 1.0)

    def draw(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """Positions of the samples of one epoch, shape ``(num_samples,)``."""
        counts = self.classes.counts
        shares = (1 - self.progress) * counts / counts.sum() + self.progress / len(counts)
        return order_by_shares(self.classes, shares, self.num_samples, generator)
