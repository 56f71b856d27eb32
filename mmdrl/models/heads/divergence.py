"""Notices that training has gone astray before centroids and checkpoints are spoilt by it."""

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmdrl.errors import DivergenceError
from mmdrl.functional import non_finite_class

LOSSES = ('loss_cls', 'loss_dr')


class DivergenceWatch(nn.Module):
    """Notes features and losses that are not finite, and reads what it has noted only when asked.

    It looks at values of the forward pass only: a step that loss scaling skips, because its *gradients* are
    infinite, is none of its business. The notes are buffers, written in place, so that a compiled step can write them
    whose memory CUDA graphs use again; no checkpoint holds them.

    Args:
        names: Of the features, such as ``'the features of layer -1'``.
    """

    classes: Tensor
    losses: Tensor

    def __init__(self, names: list[str]):
        super().__init__()
        self._names = names
        self.register_buffer('classes', torch.full((len(names),), -1), persistent=False)  # -1: finite so far
        self.register_buffer('losses', torch.zeros(len(LOSSES)), persistent=False)  # sums of 0 times each loss

    @torch.no_grad()
    def note_features(self, features: list[Tensor], labels: Tensor) -> None:
        """Look at features, each ``(B, D)`` in the order of the names, and labels ``(B,)``; nothing is read."""
        found = [non_finite_class(rows, labels) for rows in features]
        joined = found[0][None] if len(found) == 1 else torch.stack(found)
        torch.maximum(self.classes, joined, out=self.classes)

    @torch.no_grad()
    def note_losses(self, losses: dict[str, Tensor]) -> None:
        """Look at the scalars among the losses that :data:`LOSSES` names; nothing is read."""
        for place, name in enumerate(LOSSES):
            if name in losses:  # 0 times what is not finite is nan, which every further sum stays
                self.losses[place].add_(losses[name].detach(), alpha=0)

    def check(self) -> None:
        """Raise if any process has noted something; all processes must call it, whether they have noted or not.

        Raises:
            DivergenceError: Naming layer and class, or the loss.
        """
        found = torch.cat([self.classes, -self.losses.isfinite().long()])  # -1: finite
        self.classes.fill_(-1)
        self.losses.zero_()
        all_reduce(found, 'max')  # so that no process waits for one that has given up
        remedy = 'Lower the learning rate, clip gradients (optim_wrapper.clip_grad=dict(max_norm=...)), or lower the '
        for name, label in zip([*self._names, *LOSSES], found.tolist(), strict=True):
            if label < 0:
                continue
            if name not in LOSSES:
                what = f'{name} are not finite for a sample of class {label}.'
            elif name == 'loss_cls':
                what = 'loss_cls is not finite, though the features are.'
            else:
                what = (
                    'loss_dr is not finite, though the features are: a radius or a centroid in use is not, or is < 0.'
                )
            raise DivergenceError(f'Training has diverged: {what} {remedy}loss weights.', what=what.rstrip('.'))
