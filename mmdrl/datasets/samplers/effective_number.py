"""Sampling by the effective number of images: balanced only as far as the images of a class tell something new."""

from collections.abc import Sized

import numpy as np
import torch
from numpy.typing import NDArray

from mmdrl.datasets.arguments import check_finite
from mmdrl.errors import ConfigError
from mmdrl.functional import class_weights
from mmdrl.registry import DATA_SAMPLERS

from .class_sampler import ClassSampler, NumSamples
from .shares import order_by_shares


@DATA_SAMPLERS.register_module()
class EffectiveNumberSampler(ClassSampler):
    r"""Draw every image by the inverse effective number of its class.

    .. math:: p_c \propto n_c \frac{1 - \beta}{1 - \beta^{n_c}}

    :math:`\beta = 0` draws instances alike; towards 1 classes are drawn alike.

    Args:
        dataset: Data set that tells its labels.
        beta: :math:`\beta`, in ``[0, 1)``.
        num_samples: Length of an epoch over all processes. None: the number of images, so that an epoch costs what a
            plain one does.
        seed: Of the order, at least 0. None: one that all processes agree on.

    Raises:
        ConfigError: If a number is out of range, or there are more processes than samples.
        DataError: If a class below the largest label has no image.

    Source: Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", CVPR 2019, equation 5; there it
    weighs the loss.
    """

    def __init__(self, dataset: Sized, beta: float = 0.9999, num_samples: NumSamples = None, seed: int | None = None):
        check_finite('beta', beta)
        if not 0 <= beta < 1:
            raise ConfigError(f'beta must lie in [0, 1), got {beta}. Towards 1 the classes are drawn alike.')
        self.beta = float(beta)
        super().__init__(dataset, num_samples, seed)

    def draw(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """Positions of the samples of one epoch, shape ``(num_samples,)``."""
        counts = self.classes.counts
        weights = class_weights(torch.from_numpy(counts), 'effective', self.beta).double().numpy()
        return order_by_shares(self.classes, counts * weights, self.num_samples, generator)
