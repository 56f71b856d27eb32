"""Class centroids as part of the model: collected while it trains, kept in its checkpoint.

In mode ``'running'`` the features that the training step has computed anyway are summed per class; once
per epoch the sums of all processes become the new centroids. No extra pass over the data is needed; in
return a centroid lags behind the network by up to one epoch.
"""

from typing import Literal

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmdrl.errors import ConfigError


class ClassCentroids(nn.Module):
    """Centroids of K classes in D dimensions, all state in buffers.

    Args:
        num_classes: K.
        feat_dim: D.
        mode: ``'running'``: from the features of the training steps of one epoch.

    Attributes:
        centroids: Published centroids, shape ``(K, D)``; 0 for a class that has none yet.
        is_seen: Whether a class has a centroid, shape ``(K,)``.
    """

    centroids: Tensor
    is_seen: Tensor
    sums: Tensor
    counts: Tensor

    def __init__(self, num_classes: int, feat_dim: int, mode: Literal['running'] = 'running'):
        super().__init__()
        if mode != 'running':
            raise ConfigError(f"centroids: mode must be 'running', got {mode!r}.")
        self.mode = mode
        self.register_buffer('centroids', torch.zeros(num_classes, feat_dim))
        self.register_buffer('is_seen', torch.zeros(num_classes, dtype=torch.bool))
        self.register_buffer('sums', torch.zeros(num_classes, feat_dim))
        self.register_buffer('counts', torch.zeros(num_classes))

    @torch.no_grad()
    def accumulate(self, features: Tensor, labels: Tensor) -> None:
        """Add this process's features ``(B, D)`` with labels ``(B,)`` to the sums of the epoch."""
        self.sums.index_add_(0, labels, features.detach().to(self.sums.dtype))
        self.counts.index_add_(0, labels, torch.ones_like(labels, dtype=self.counts.dtype))

    @torch.no_grad()
    def discard(self) -> None:
        """Forget the sums of an epoch that did not end."""
        self.sums.zero_()
        self.counts.zero_()

    @torch.no_grad()
    def publish(self) -> None:
        """Turn the sums of all processes into centroids and start afresh.

        All processes must call it. A class that did not occur keeps the centroid it had.
        """
        all_reduce(self.sums)
        all_reduce(self.counts)
        occurred = self.counts > 0
        means = self.sums / self.counts.clamp_min(1)[:, None]
        self.centroids.copy_(torch.where(occurred[:, None], means, self.centroids))
        self.is_seen |= occurred
        self.discard()
