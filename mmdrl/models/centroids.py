"""Class centroids as part of the model, kept in its checkpoint, and how far classes spread around them.

Three ways to come by them. ``'running'`` sums the features that the training steps of an epoch have computed
anyway: no extra pass, but a centroid lags behind the network by up to one epoch and is one of augmented images.
``'epoch'`` is an exact pass over the clean training set after every epoch, made by ``CentroidHook``. ``'ema'``
moves the centroids of the classes in a batch towards the batch after every step.
"""

from typing import Literal, get_args

import torch
from mmengine.dist import all_gather, get_world_size
from torch import Tensor, nn

from mmdrl.errors import ConfigError

from .batch_moments import batch_moments
from .class_sums import ClassSums

Mode = Literal['running', 'epoch', 'ema']


class ClassCentroids(nn.Module):
    """Centroids of K classes in D dimensions, all state in buffers, the same on all processes.

    What is summed up in modes ``'running'`` and ``'epoch'`` are differences to the published centroid, so that tight
    clusters far from the origin are measured well. Float32 cannot tell a spread below about 0.001 of the way from
    the old centroid to the new one, and the old one of a class that has none yet is the origin.

    Args:
        num_classes: K.
        feat_dim: D.
        mode: ``'running'``, ``'epoch'`` or ``'ema'``, see the top of this file.
        momentum: Mode ``'ema'``: share of the old centroid that stays when its class occurs in a batch, at least
            0, below 1. A class that occurs for the first time starts with the mean of the batch.

    Attributes:
        centroids: Published centroids, shape ``(K, D)``; 0 for a class that has none yet.
        spreads: Root mean square distance of the features of a class from their centroid, shape ``(K,)``;
            0 for a class that has none yet.
        is_seen: Whether a class has a centroid, shape ``(K,)``.
        sums: Of the epoch so far; ``None`` in mode ``'ema'``.
    """

    centroids: Tensor
    spreads: Tensor
    is_seen: Tensor

    def __init__(self, num_classes: int, feat_dim: int, mode: Mode = 'running', momentum: float = 0.9):
        super().__init__()
        if mode not in get_args(Mode):
            raise ConfigError(f"centroids: mode must be 'running', 'epoch' or 'ema', got {mode!r}.")
        if not isinstance(momentum, (int, float)) or not 0 <= momentum < 1:
            raise ConfigError(f'centroids: momentum must be at least 0 and below 1, got {momentum!r}.')
        self.mode = mode
        self.momentum = momentum
        self.register_buffer('centroids', torch.zeros(num_classes, feat_dim))
        self.register_buffer('spreads', torch.zeros(num_classes))
        self.register_buffer('is_seen', torch.zeros(num_classes, dtype=torch.bool))
        self.sums = None if mode == 'ema' else ClassSums(num_classes, feat_dim)

    @property
    def measured_spreads(self) -> Tensor:
        """Spreads, shape ``(K,)``, nan for a class that has no centroid yet."""
        return torch.where(self.is_seen, self.spreads, torch.nan)

    def update(self, features: Tensor, labels: Tensor) -> None:
        """Take notice of a training step, after its loss, as the mode wants it. Nothing is read from the device.

        Args:
            features: Of this process, shape ``(B, D)``, B the same on all processes. Half precision is computed in
                float32.
            labels: Shape ``(B,)``, long.
        """
        if self.mode == 'running':
            self.accumulate(features, labels)
        elif self.mode == 'ema':
            self._follow(features, labels)

    @torch.no_grad()
    def accumulate(self, features: Tensor, labels: Tensor) -> None:
        """Add this process's features ``(B, D)`` with labels ``(B,)`` to the sums of the epoch."""
        assert self.sums is not None, "mode 'ema' sums nothing up"
        self.sums.add(features.detach().to(self.centroids.dtype) - self.centroids[labels], labels)

    @torch.no_grad()
    def discard(self) -> None:
        """Forget the sums of an epoch that did not end."""
        if self.sums is not None:
            self.sums.clear()

    @torch.no_grad()
    def publish(self) -> None:
        """Turn the sums of all processes into centroids and start afresh; nothing happens in mode ``'ema'``.

        All processes must call it. A class that did not occur keeps the centroid it had.
        """
        if self.sums is None:
            return
        shift, variance, counts = self.sums.moments()
        occurred = counts > 0
        self.centroids += shift  # 0 for a class that did not occur
        self.spreads.copy_(torch.where(occurred, variance.sqrt(), self.spreads))
        self.is_seen |= occurred
        self.sums.clear()

    @torch.no_grad()
    def _follow(self, features: Tensor, labels: Tensor) -> None:
        features = features.detach()
        if get_world_size() > 1:
            features, labels = torch.cat(all_gather(features.contiguous())), torch.cat(all_gather(labels))
        features = features.to(self.centroids.dtype)
        is_same_class = labels[:, None] == labels  # (B, B)
        first = is_same_class.to(torch.int8).argmax(dim=1)  # (B,), first sample of the same class
        is_seen = self.is_seen[labels]
        old = torch.where(is_seen[:, None], self.centroids[labels], features[first])
        shift, variance = batch_moments(features - old, is_same_class)
        rate = torch.where(is_seen, 1 - self.momentum, 1.0)  # (B,)
        # Exact for weighted samples: the variance of a mixture is the mean variance and that of the means.
        distance = shift.square().sum(dim=1)
        variance = (1 - rate) * self.spreads[labels].square() + rate * variance + rate * (1 - rate) * distance
        # Several samples write the row of one class: all write that of the first, so that the order cannot matter.
        self.centroids.index_copy_(0, labels, (old + rate[:, None] * shift)[first])
        self.spreads.index_copy_(0, labels, variance.sqrt()[first])
        self.is_seen.index_fill_(0, labels, True)
