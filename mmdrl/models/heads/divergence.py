"""Notices that training has gone astray before centroids and checkpoints are spoilt by it."""

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from mmdrl.errors import DivergenceError
from mmdrl.functional import first_non_finite


class DivergenceWatch:
    """Looks for features that are not finite, and reads what it found only when asked."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._classes: Tensor | None = None

    @torch.no_grad()
    def note(self, features: dict[str, Tensor], labels: Tensor) -> None:
        """Look at features, without waiting for the device.

        Args:
            features: By name, each ``(B, D)``; the same names at every call.
            labels: Shape ``(B,)``, long.
        """
        found = torch.stack([first_non_finite(rows, labels) for rows in features.values()])
        self._names = list(features)
        self._classes = found if self._classes is None else torch.maximum(self._classes, found)

    def check(self) -> None:
        """Raise if any process has noted a feature that is not finite; all processes must call it.

        Raises:
            DivergenceError: Naming the class and the layer.
        """
        if self._classes is None:
            return
        found, self._classes = self._classes, None
        all_reduce(found, 'max')  # so that no process waits for one that has given up
        for name, label in zip(self._names, found.tolist(), strict=True):
            if label >= 0:
                raise DivergenceError(
                    f'Training has diverged: {name} are not finite for a sample of class {label}. Lower the learning '
                    'rate, clip gradients (optim_wrapper.clip_grad=dict(max_norm=...)), or lower the loss weights.'
                )
