"""Class-aware sampling: every class is drawn equally often, a few images in a row."""

from collections.abc import Sized

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.arguments import check_whole
from mmdrl.registry import DATA_SAMPLERS

from .class_sampler import ClassSampler, NumSamples
from .rounds import order_by_rounds


@DATA_SAMPLERS.register_module()
class ClassAwareSampler(ClassSampler):
    """Draw the classes equally often, ``samples_per_class`` images in a row.

    The classes are visited in rounds, every class once per round in a new random order. A visit takes the next
    ``samples_per_class`` images of the class; a class goes through all its images in random order before one comes
    again, and then shuffles them anew.

    Args:
        dataset: Data set that tells its labels.
        samples_per_class: Images in a row of one class, at least 1. More than the class has repeats some.
        num_samples: Length of an epoch over all processes. None: size of the largest class times K, as in the
            released code, so that every image is drawn. ``'images'``: the number of images, so that an epoch costs what
            a plain one does. The last visit is cut short if it does not fit.
        seed: Of the order, at least 0. None: one that all processes agree on.

    Raises:
        ConfigError: If a number is out of range, or there are more processes than samples.
        DataError: If a class below the largest label has no image.

    Source: Shen et al., "Relay Backpropagation", ECCV 2016; four images in a row as in the released code of
    Samuel & Chechik, ICCV 2021.
    """

    def __init__(
        self,
        dataset: Sized,
        samples_per_class: int = 4,
        num_samples: NumSamples = None,
        seed: int | None = None,
    ):
        check_whole('samples_per_class', samples_per_class, 1)
        self.samples_per_class = int(samples_per_class)
        super().__init__(dataset, num_samples, seed)

    def default_num_samples(self) -> int:
        """Size of the largest class times K."""
        return int(self.classes.counts.max()) * len(self.classes.counts)

    def draw(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """Positions of the samples of one epoch, shape ``(num_samples,)``."""
        return order_by_rounds(self.classes, self.samples_per_class, self.num_samples, generator)
