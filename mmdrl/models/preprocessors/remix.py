"""Mixup whose labels favour rare classes."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmdrl.batch_samples import BatchSamples
from mmdrl.errors import ConfigError
from mmdrl.functional import remix_weights
from mmdrl.models.class_counts import KeepsClassCounts
from mmdrl.registry import MODELS

from .batch_preprocessor import BatchDataPreprocessor


@MODELS.register_module()
class RemixDataPreprocessor(BatchDataPreprocessor, KeepsClassCounts):
    r"""A preprocessor of whole batches with Remix: images are mixed as by mixup, labels in favour of the rarer class.

    In training every image of a batch is mixed with another of it, :math:`\lambda x_i + (1 - \lambda) x_j`, with one
    :math:`\lambda` for the batch from :math:`\mathrm{Beta}(\alpha, \alpha)`. The label is mixed likewise, unless one
    class is ``kappa`` times as large as the other and its share of the image below ``tau``: then the label is the
    rarer class alone, see :func:`mmdrl.functional.remix_weights`. The head gets the labels as ``gt_score``.

    ``ClassCountsHook`` sets the class counts. A stage of ``TwoStageHook`` with ``mixing=False`` goes without.

    Args:
        num_classes: K.
        alpha: :math:`\alpha`, above 0.
        kappa: :math:`\kappa`, at least 1.
        tau: :math:`\tau`, in ``[0, 1]``; 0 is mixup.
        batch_augments: Not to be given: Remix takes its place.
        **kwargs: As in :class:`BatchDataPreprocessor`: ``augments``, ``mean``, ``std``, ``to_rgb`` and so on.

    Raises:
        ConfigError: If a value is out of range, or there are other ``batch_augments``; in training, if class counts
            are unknown or images are mixed already.

    Source: Chou et al., "Remix: Rebalanced Mixup", ECCV 2020 workshops.
    """

    def __init__(
        self,
        num_classes: int,
        alpha: float = 1.0,
        kappa: float = 3.0,
        tau: float = 0.5,
        batch_augments: None = None,
        **kwargs: Any,
    ):
        if batch_augments:
            raise ConfigError(
                f'RemixDataPreprocessor mixes by itself, got batch_augments={batch_augments!r} (or train_cfg.augments '
                'of the model) beside it. Leave them out, or use mmdrl.BatchDataPreprocessor.'
            )
        if not isinstance(alpha, (int, float)) or not 0 < alpha < math.inf:
            raise ConfigError(f'RemixDataPreprocessor: alpha must be a finite number above 0, got {alpha!r}.')
        try:
            remix_weights(0.5, torch.ones(1), torch.ones(1), kappa, tau)
        except (TypeError, ValueError) as error:
            raise ConfigError(f'RemixDataPreprocessor: {error}') from None
        super().__init__(num_classes=num_classes, **{**kwargs, 'to_onehot': True})
        self.init_class_counts(num_classes, persistent=False)
        self.alpha, self.kappa, self.tau = alpha, kappa, tau
        self.batch_augments = self.remix

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Batch for the model, with mixed images and ``gt_score`` in training."""
        samples = data.get('data_samples')
        if training and self.batch_augments is not None and _has_scores(samples):
            raise ConfigError(
                'RemixDataPreprocessor mixes images of one label each, got mixed ones (gt_score). Use it or '
                'mmdrl.BalancedMixup, not both.'
            )
        return super().forward(data, training)

    def remix(self, images: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Mixed images and labels; random numbers are of NumPy and torch on the CPU, as for MMPretrain's mixup.

        Args:
            images: Shape ``(B, C, H, W)``.
            scores: One-hot labels, shape ``(B, K)``.

        Raises:
            ConfigError: If class counts are unknown.
        """
        share = float(np.random.beta(self.alpha, self.alpha))
        other = torch.randperm(len(images)).to(images.device, non_blocking=True)
        counts = self.known_class_counts()[scores.argmax(dim=1)]
        weight = remix_weights(share, counts, counts[other], self.kappa, self.tau)[:, None]
        mixed = torch.lerp(scores.float()[other], scores.float(), weight)
        return share * images + (1 - share) * images[other], mixed


def _has_scores(samples: Any) -> bool:
    if isinstance(samples, BatchSamples):
        return samples.scores is not None
    return bool(samples) and 'gt_score' in samples[0]
