"""Sums per class over many batches, from which means and spreads follow."""

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn


class ClassSums(nn.Module):
    """First and second moments of K classes in D dimensions around a reference point per class.

    A reference near the class keeps the digits that squares far from the origin would lose.

    Args:
        num_classes: K.
        feat_dim: D.

    Attributes:
        first: Sums of the differences to the reference, shape ``(K, D)``.
        second: Sums of their squared lengths, shape ``(K,)``.
        counts: Number of samples, shape ``(K,)``.
    """

    first: Tensor
    second: Tensor
    counts: Tensor

    def __init__(self, num_classes: int, feat_dim: int):
        super().__init__()
        self.register_buffer('first', torch.zeros(num_classes, feat_dim))
        self.register_buffer('second', torch.zeros(num_classes))
        self.register_buffer('counts', torch.zeros(num_classes))

    @torch.no_grad()
    def add(self, differences: Tensor, labels: Tensor) -> None:
        """Add the differences ``(B, D)`` of samples with labels ``(B,)`` to their reference points."""
        self.first.index_add_(0, labels, differences)
        self.second.index_add_(0, labels, differences.square().sum(dim=1))
        self.counts.index_add_(0, labels, torch.ones_like(labels, dtype=self.counts.dtype))

    @torch.no_grad()
    def clear(self) -> None:
        """Forget all samples."""
        for buffer in (self.first, self.second, self.counts):
            buffer.zero_()

    @torch.no_grad()
    def moments(self) -> tuple[Tensor, Tensor, Tensor]:
        """Moments over the samples of all processes, all of which must call it; sums up the buffers in place.

        Returns:
            Mean difference to the reference, shape ``(K, D)``; mean squared distance from the mean, shape
            ``(K,)``; number of samples, shape ``(K,)``. A class without samples has 0 everywhere.
        """
        for buffer in (self.first, self.second, self.counts):
            all_reduce(buffer)
        count = self.counts.clamp_min(1)
        mean = self.first / count[:, None]
        # Rounding can make the variance of equal features a tiny negative number.
        variance = (self.second / count - mean.square().sum(dim=1)).clamp_min(0)
        return mean, variance, self.counts
