"""Class centroids as part of the model, kept in its checkpoint, and how far classes spread around them.

Three ways to come by them. ``'running'`` sums the features that the training steps of an epoch have computed
anyway: no extra pass, but a centroid lags behind the network by up to one epoch and is one of augmented images.
``'epoch'`` is an exact pass over the clean training set after every epoch, made by ``CentroidHook``. ``'ema'``
moves the centroids of the classes in a batch towards the batch after every step.
"""

from collections.abc import Callable
from typing import Literal, get_args

import torch
from mmengine.dist import all_gather, broadcast, get_world_size
from torch import Tensor, nn

from mmdrl.errors import ConfigError

from .class_moments import ClassMoments, fold_in

Mode = Literal['running', 'epoch', 'ema']


class ClassCentroids(nn.Module):
    """Centroids of K classes in D dimensions, all state in buffers, the same on all processes once published.

    The buffers stay float32 when the model is cast to half precision, which could neither count nor average.

    Args:
        num_classes: K.
        feat_dim: D.
        mode: ``'running'``, ``'epoch'`` or ``'ema'``, see the top of this file.
        momentum: Mode ``'ema'``: share of the old centroid that stays when its class occurs in a batch, at least
            0, below 1. A class that occurs for the first time starts with the mean of the batch.

    Attributes:
        centroids: Published centroids, shape ``(K, D)``; 0 for a class that has none yet.
        variances: Mean squared distance of the features of a class from their centroid, shape ``(K,)``; 0 for a class
            that has none yet.
        is_seen: Whether a class has a centroid, shape ``(K,)``.
        sums: Moments of the epoch so far, of this process; ``None`` in mode ``'ema'``.
    """

    centroids: Tensor
    variances: Tensor
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
        self.register_buffer('variances', torch.zeros(num_classes))
        self.register_buffer('is_seen', torch.zeros(num_classes, dtype=torch.bool))
        # A pass over the whole set is never interrupted by a checkpoint, an epoch of training is.
        self.sums = None if mode == 'ema' else ClassMoments(num_classes, feat_dim, persistent=mode == 'running')

    @property
    def spreads(self) -> Tensor:
        """Root mean square distances from the centroid, shape ``(K,)``, nan for a class that has none yet."""
        return torch.where(self.is_seen, self.variances.sqrt(), torch.nan)

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
        """Add this process's features ``(B, D)`` with labels ``(B,)`` to those of the epoch."""
        assert self.sums is not None, "mode 'ema' has no epochs"
        self.sums.add(features.detach().to(self.centroids.dtype), labels)

    @torch.no_grad()
    def discard(self) -> None:
        """Forget the features of an epoch that did not end."""
        if self.sums is not None:
            self.sums.clear()

    @torch.no_grad()
    def publish(self) -> None:
        """Turn the features of all processes into centroids and start afresh; all processes must call it.

        A class that did not occur keeps the centroid it had. In mode ``'ema'`` all processes take those of the
        first, as rounding might have led them apart.
        """
        if self.sums is None:
            broadcast(self.centroids)
            broadcast(self.variances)
            return
        mean, variance, counts = self.sums.of_all_processes()
        occurred = counts > 0
        torch.where(occurred[:, None], mean, self.centroids, out=self.centroids)
        self.variances.copy_(torch.where(occurred, variance, self.variances))
        self.is_seen |= occurred
        self.sums.clear()

    def reset_parameters(self) -> None:
        """Forget everything, as when the layers before are initialised anew."""
        for buffer in (self.centroids, self.variances, self.is_seen):
            buffer.zero_()
        self.discard()

    @torch.no_grad()
    def _follow(self, features: Tensor, labels: Tensor) -> None:
        features = features.detach()
        if get_world_size() > 1:
            features, labels = torch.cat(all_gather(features.contiguous())), torch.cat(all_gather(labels))
        share = torch.where(self.is_seen[labels], 1 - self.momentum, 1.0)  # (B,)
        fold_in(self.centroids, self.variances, features.to(self.centroids.dtype), labels, share)
        self.is_seen.index_fill_(0, labels, True)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> 'ClassCentroids':
        def keep_precision(tensor: Tensor) -> Tensor:
            result = fn(tensor)
            is_lowered = result.dtype in (torch.float16, torch.bfloat16)
            return tensor.to(result.device) if is_lowered else result

        return super()._apply(keep_precision, recurse)
