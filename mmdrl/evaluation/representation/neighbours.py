"""Classes of samples by what lies near them: the k nearest training samples, or the nearest class mean."""

import torch
from torch import Tensor
from torch.nn.functional import linear

from mmdrl.functional import at_least_float32, ncm_as_linear, without_autocast

from .moments import parts

_SCORES = 1 << 24  # distances computed at a time, 64 MiB in float32


@torch.no_grad()
def knn_labels(
    train: Tensor, train_labels: Tensor, features: Tensor, num_classes: int, k: int = 20
) -> tuple[Tensor, Tensor]:
    r"""Labels by the k nearest training samples, Euclidean: by plain votes, and by votes divided by class size.

    Each neighbour has one vote, whatever its distance. In a long tail the head has more votes to give: a class with
    fewer than k/2 images can hardly win. The second label divides each vote by the training samples of its class.

    Args:
        train: Training features, shape ``(N, D)``; a centred copy of them is made.
        train_labels: Shape ``(N,)``, long, in ``[0, K)``.
        features: Shape ``(M, D)``, of the type and device of ``train``.
        num_classes: K.
        k: Neighbours, at least 1; all N if there are fewer.

    Returns:
        Two tensors of shape ``(M,)``, long. The lower class wins a tie.

    Raises:
        ValueError: If shapes disagree, k is below 1, or there is no training sample.

    Source: votes by class size: Tan, "Neighbor-weighted K-nearest neighbor for unbalanced text corpus", Expert
    Systems with Applications 28, 2005; his exponent is 1 here.
    """
    if train.ndim != 2 or features.ndim != 2 or train.shape[1] != features.shape[1] or len(train) != len(train_labels):
        raise ValueError(
            f'Expected train (N, D) with N labels and features (M, D), got {tuple(train.shape)}, {len(train_labels)} '
            f'labels and {tuple(features.shape)}.'
        )
    if k < 1 or len(train) == 0:
        raise ValueError(f'k must be at least 1, and so must training samples, got k={k} of {len(train)}.')
    k = min(k, len(train))
    # Around their mean, or a long common part would cost the digits of a distance.
    middle = torch.stack([rows.double().sum(dim=0) for (rows,) in parts(train)]).sum(dim=0) / len(train)
    middle = middle.to(at_least_float32(train).dtype)
    train = train - middle
    lengths = torch.cat([rows.square().sum(dim=1) for (rows,) in parts(train)])
    size = torch.bincount(train_labels, minlength=num_classes)
    plain, balanced = [], []
    for rows in features.split(max(1, _SCORES // len(train))):
        with without_autocast(train.device):  # squares, less those of the rows, which are the same for all neighbours
            distances = torch.addmm(lengths, rows - middle, train.T, alpha=-2)
        nearest = train_labels[distances.topk(k, dim=1, largest=False).indices]  # (rows, k)
        votes = torch.zeros(len(rows), num_classes, dtype=torch.long, device=train.device)
        votes.scatter_add_(1, nearest, torch.ones_like(nearest))
        plain.append(_first_largest(votes))
        balanced.append(_first_largest(votes.double() / size.clamp_min(1)))
    return torch.cat(plain), torch.cat(balanced)


@torch.no_grad()
def ncm_labels(features: Tensor, means: Tensor) -> Tensor:
    """Class of the nearest mean, Euclidean, shape ``(M,)``, long; a class whose mean is nan is never chosen.

    Args:
        features: Shape ``(M, D)``.
        means: Shape ``(K, D)``.
    """
    known = (~means.isnan().any(dim=1)).nonzero().flatten()
    rows = means[known]
    middle = rows.mean(dim=0)
    weight, bias = ncm_as_linear(rows - middle)
    labels = []
    for part in features.split(max(1, _SCORES // max(len(known), features.shape[1]))):
        with without_autocast(features.device):
            labels.append(known[linear(part.to(weight) - middle.to(weight), weight, bias).argmax(dim=1)])
    return torch.cat(labels)


def _first_largest(votes: Tensor) -> Tensor:
    """Column of the largest entry of each row, the first of equals, which argmax does not promise."""
    return (votes == votes.amax(dim=1, keepdim=True)).to(torch.int8).argmax(dim=1)
