"""Mean and variance of every class, gathered batch by batch without losing digits.

A batch is folded in by its own mean and variance around the mean so far: sums of squares far from the origin, which
would lose the digits of a tight cluster, never occur. Shapes are static, no value is read, and the cost of a batch does
not depend on the number of classes.
"""

from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn

from mmdrl.functional.checks import is_static


class ClassMoments(nn.Module):
    """Moments of K classes in D dimensions, of the samples of this process so far.

    A state dict without any of them, as a published checkpoint has it, loads as no samples so far.

    Args:
        num_classes: K.
        feat_dim: D.
        persistent: Whether they belong into a checkpoint.

    Attributes:
        mean: Shape ``(K, D)``; 0 for a class without samples.
        variance: Mean squared distance from the mean, shape ``(K,)``.
        counts: Number of samples, shape ``(K,)``.
    """

    mean: Tensor
    variance: Tensor
    counts: Tensor

    def __init__(self, num_classes: int, feat_dim: int, persistent: bool = True):
        super().__init__()
        self.register_buffer('mean', torch.zeros(num_classes, feat_dim), persistent)
        self.register_buffer('variance', torch.zeros(num_classes), persistent)
        self.register_buffer('counts', torch.zeros(num_classes), persistent)

    @torch.no_grad()
    def add(self, features: Tensor, labels: Tensor) -> None:
        """Add samples, shape ``(B, D)``, with labels ``(B,)``."""
        before = self.counts[labels]
        self.counts.index_add_(0, labels, torch.ones_like(before))
        share = 1 - before / self.counts[labels]  # of the batch among all samples of the class
        fold_in(self.mean, self.variance, features, labels, share)

    @torch.no_grad()
    def clear(self) -> None:
        """Forget all samples."""
        for buffer in (self.mean, self.variance, self.counts):
            buffer.zero_()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        if any(name.startswith(prefix) for name in state_dict):
            super()._load_from_state_dict(state_dict, prefix, *arguments)
        else:
            self.clear()

    @torch.no_grad()
    def of_all_processes(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean ``(K, D)``, variance ``(K,)`` and counts ``(K,)`` over all processes, all of which must call it.

        Means and counts come by one ``all_reduce``. Variances need another, of K numbers: taken around the common mean,
        which must be there first, they keep the digits that a sum of squares would lose. One process gets the buffers
        themselves, good until the next sample or :meth:`clear`.
        """
        if get_world_size() == 1:
            return self.mean, self.variance, self.counts
        sums = torch.cat([self.mean, torch.ones_like(self.counts)[:, None]], dim=1)
        sums *= self.counts[:, None]
        all_reduce(sums)
        mean, counts = sums[:, :-1], sums[:, -1].clone()
        mean /= counts.clamp_min(1)[:, None]
        share = self.counts / counts.clamp_min(1)
        variance = share * (self.variance + (self.mean - mean).square_().sum(dim=1))
        all_reduce(variance)
        return mean, variance, counts


@torch.no_grad()
def fold_in(mean: Tensor, variance: Tensor, features: Tensor, labels: Tensor, share: Tensor) -> None:
    """Mix the classes of a batch into their moments, in place.

    Exact for weighted samples: the variance of a mixture is the mean of the variances and the variance of the means.

    Args:
        mean: Shape ``(K, D)``.
        variance: Shape ``(K,)``.
        features: Shape ``(B, D)``, B at least 1.
        labels: Shape ``(B,)``, long.
        share: Weight of the batch in the mixture of each sample's class, shape ``(B,)``, the same for equal labels,
            above 0; 1 replaces what was there.
    """
    if is_static(features) and features.device.type != 'mps':  # which has no float64
        _fold_in_by_products(mean, variance, features, labels, share)
        return
    share = share.to(mean.dtype)
    first = _first_of_class(labels, len(mean))  # (B,)
    old = torch.where(share[:, None] < 1, mean[labels], features[first])
    size = torch.zeros_like(share).index_add_(0, first, torch.ones_like(share)).clamp_min(1)  # (B,), at first samples
    differences = features - old
    shift = torch.zeros_like(old).index_add_(0, first, differences).div_(size[:, None])[first]
    squares = (differences - shift).square().sum(dim=1)
    within = torch.zeros_like(share).index_add_(0, first, squares).div_(size)[first]
    between = share * (1 - share) * shift.square().sum(dim=1)
    # Several samples write the row of one class, all of them the same.
    variance.index_copy_(0, labels, (1 - share) * variance[labels] + share * within + between)
    mean.index_copy_(0, labels, old + share[:, None] * shift)


def _fold_in_by_products(mean: Tensor, variance: Tensor, features: Tensor, labels: Tensor, share: Tensor) -> None:
    """The same for an accelerator, in two thirds of the calls.

    Sums over a class are matrix products in float64, in which nothing cancels, and which give the same digits each
    time; sums by index there do not.
    """
    old = mean.index_select(0, labels).double()  # (B, D)
    differences = features - old
    same = (labels[:, None] == labels).double()
    portion = same.div_(same.sum(dim=1, keepdim=True))  # (B, B), of each sample in the mean of a class
    shift = portion @ differences
    within = portion @ (differences - shift).square().sum(dim=1)
    share = share.double()
    between = torch.addcmul(share, share, share, value=-1) * shift.square().sum(dim=1)
    spread = torch.lerp(variance.index_select(0, labels).double(), within, share) + between
    # Several samples write the row of one class, all of them the same.
    variance.index_copy_(0, labels, spread.to(variance.dtype))
    mean.index_copy_(0, labels, torch.addcmul(old, share[:, None], shift).to(mean.dtype))


def _first_of_class(labels: Tensor, num_classes: int) -> Tensor:
    """Of each sample the first one with its label, shape ``(B,)``; of the K places only those in use are touched."""
    first = torch.empty(num_classes, dtype=torch.long, device=labels.device).index_fill_(0, labels, len(labels))
    first.scatter_reduce_(0, labels, torch.arange(len(labels), device=labels.device), 'amin')
    return first[labels]
