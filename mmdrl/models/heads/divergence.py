"""Notices that training has gone astray before centroids and checkpoints are spoilt by it."""

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from mmdrl.errors import DivergenceError
from mmdrl.functional import first_non_finite

LOSSES = ('loss_cls', 'loss_dr')


class DivergenceWatch:
    """Notes features and losses that are not finite, and reads what it has noted only when asked.

    It looks at values of the forward pass only: a step that loss scaling skips, because its *gradients* are
    infinite, is none of its business.

    Args:
        names: Of the features, such as ``'the features of layer -1'``.
    """

    def __init__(self, names: list[str]):
        self._names = names
        self._classes: Tensor | None = None  # (features,), -1: finite so far
        self._is_lost: Tensor | None = None  # (losses,)

    @torch.no_grad()
    def note_features(self, features: list[Tensor], labels: Tensor) -> None:
        """Look at features, each ``(B, D)`` in the order of the names, and labels ``(B,)``; nothing is read."""
        found = torch.stack([first_non_finite(rows, labels) for rows in features])
        self._classes = found if self._classes is None else torch.maximum(self._classes, found)

    @torch.no_grad()
    def note_losses(self, losses: dict[str, Tensor]) -> None:
        """Look at the scalars among the losses that :data:`LOSSES` names; nothing is read."""
        finite = losses['loss_cls'].new_zeros(())
        found = ~torch.stack([losses.get(name, finite).detach() for name in LOSSES]).isfinite()
        self._is_lost = found if self._is_lost is None else self._is_lost | found

    def check(self, device: torch.device) -> None:
        """Raise if any process has noted something; all processes must call it, whether they have noted or not.

        Args:
            device: Where to talk to the other processes.

        Raises:
            DivergenceError: Naming layer and class, or the loss.
        """
        found = torch.full((len(self._names) + len(LOSSES),), -1, dtype=torch.long, device=device)
        if self._classes is not None:
            found[: len(self._names)] = self._classes
        if self._is_lost is not None:
            found[len(self._names) :] += self._is_lost
        self._classes = self._is_lost = None
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
            raise DivergenceError(f'Training has diverged: {what} {remedy}loss weights.')
