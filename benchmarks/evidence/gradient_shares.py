"""How hard the two losses pull: their gradients at the features, image by image, and at the backbone.

What a loss weight means is not in its number: distances and cross-entropies have other units. What moves the network
are the gradients, so these are compared, with all weights on them.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor

from mmdrl.batch_samples import BatchSamples

LOSSES = ('loss_cls', 'loss_dr')


class Pulls(NamedTuple):
    """Gradients of both losses in one batch of B images.

    Attributes:
        norms: At the features that the classifier sees, image by image, times B; shape ``(2, B)``: ``loss_cls``, then
            ``loss_dr``. B makes it what an image would have if its loss were not divided by those in the batch.
        cosines: Between the two, shape ``(B,)``; nan where one is 0.
        labels: Shape ``(B,)``.
        backbone: Norms over all parameters of the backbone, and their cosine, shape ``(3,)``; nan where it is frozen.
    """

    norms: Tensor
    cosines: Tensor
    labels: Tensor
    backbone: Tensor


def batch_pulls(model: Any, batch: Any) -> Pulls:
    """Gradients in one batch, in float32; parameters and their ``.grad`` stay as they are.

    Args:
        model: Image classifier whose head gives :data:`LOSSES`.
        batch: As its data preprocessor takes it.
    """
    data = model.data_preprocessor(batch, training=True)
    feats = model.extract_feat(data['inputs'])
    is_frozen = not feats[-1].requires_grad
    if is_frozen:
        feats = tuple(part.detach().requires_grad_() for part in feats)
    losses = model.head.loss(feats, data['data_samples'])
    learned = [] if is_frozen else [p for p in model.backbone.parameters() if p.requires_grad]
    rows, whole = [], []
    for name in LOSSES:
        at = torch.autograd.grad(losses[name], [feats[-1], *learned], retain_graph=True, allow_unused=True)
        found = [torch.zeros_like(x) if g is None else g for x, g in zip([feats[-1], *learned], at, strict=True)]
        rows.append(found[0].double())
        whole.append(torch.cat([gradient.double().flatten() for gradient in found[1:]] or [rows[0].new_empty(0)]))
    samples = data['data_samples']
    labels = samples.labels if isinstance(samples, BatchSamples) else torch.cat([s.gt_label for s in samples])
    backbone = torch.stack([*(torch.linalg.vector_norm(part) for part in whole), _cosine(*whole)])
    return Pulls(
        len(labels) * torch.stack([torch.linalg.vector_norm(part, dim=1) for part in rows]).cpu(),
        _cosine(*rows).cpu(),
        labels.cpu(),
        (backbone if learned else torch.full_like(backbone, torch.nan)).cpu(),
    )


def gradient_shares(pulls: Iterable[Pulls], groups: Mapping[str, NDArray]) -> dict[str, Any]:
    """Means over images and batches.

    Args:
        pulls: Of some batches.
        groups: Masks of classes, shape ``(K,)``, by the name of their shot group.

    Returns:
        ``features``: for each group and ``all`` the number of ``images``, mean norms ``cls`` and ``dr``, their
        ``ratio`` (DR over classification) and the mean ``cosine``; ``backbone``: the same over batches; nan where
        nothing is known.

    Raises:
        ValueError: If there is no batch.
    """
    found = list(pulls)
    if not found:
        raise ValueError('Expected gradients of one batch at least, got none.')
    norms = torch.cat([part.norms for part in found], dim=1)
    cosines, labels = torch.cat([part.cosines for part in found]), torch.cat([part.labels for part in found])
    backbone = torch.stack([part.backbone for part in found])
    members = {name: torch.as_tensor(mask)[labels] for name, mask in groups.items()}
    members['all'] = torch.ones_like(labels, dtype=torch.bool)
    return dict(
        features={
            name: dict(images=int(mask.sum())) | _means(norms[:, mask], cosines[mask]) for name, mask in members.items()
        },
        backbone=_means(backbone[:, :2].T, backbone[:, 2]),
        batches=len(found),
    )


def _means(norms: Tensor, cosines: Tensor) -> dict[str, float]:
    cls, dr = norms.mean(dim=1)
    ratio = dr / cls if cls > 0 else torch.tensor(torch.nan)
    return dict(cls=float(cls), dr=float(dr), ratio=float(ratio), cosine=float(cosines.nanmean()))


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    """Of rows or of two vectors; nan where one is 0."""
    lengths = torch.linalg.vector_norm(one, dim=-1) * torch.linalg.vector_norm(other, dim=-1)
    return torch.where(lengths > 0, (one * other).sum(dim=-1) / lengths, torch.nan)
