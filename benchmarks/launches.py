"""How many kernels a head launches in its part of a training step, counted without a GPU.

On a GPU a small step is as long as the launches it consists of. Every call of torch that reaches a device is counted on
``meta`` tensors, forward and backward; what only looks at a tensor in another shape launches nothing and is left out.
Some calls are several kernels, so this is for comparisons.
"""

from collections import Counter
from typing import Any

import torch
from mmpretrain.models.heads import LinearClsHead
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from mmdrl.batch_samples import BatchSamples
from mmdrl.registry import MODELS

CE = dict(type='CrossEntropyLoss', loss_weight=1.0)
DR = dict(type='mmdrl.DRLoss', scope='sample', margin=2.0, loss_weight=0.2)
_SHAPES_ONLY = {
    *('view', '_unsafe_view', 't', 'transpose', 'permute', 'expand', 'select', 'slice', 'split', 'unbind', 'diagonal'),
    *('unsqueeze', 'squeeze', 'detach', 'alias', 'as_strided', 'empty', 'empty_like', 'empty_strided', 'new_empty'),
}


class Launches(TorchDispatchMode):
    """Counts calls by name while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = call.overloadpacket.__name__
        if name not in _SHAPES_ONLY:
            self.calls[name] += 1
        return call(*args, **(kwargs or {}))


def make_head(width: int, num_classes: int, mode: str | None) -> nn.Module:
    """MMPretrain's linear classifier with cross-entropy, or the head with the DR loss, as the CIFAR configs have it.

    Args:
        width: Of the features.
        num_classes: K.
        mode: Of the centroids; ``None``: MMPretrain's head.
    """
    if mode is None:
        return LinearClsHead(num_classes, width, loss=dict(CE))
    kind = dict(type='mmdrl.DRHead', dr_loss=dict(DR), centroids=dict(mode=mode), loss=dict(CE))
    head = MODELS.build(dict(kind, num_classes=num_classes, in_channels=width))
    head.set_class_counts(torch.arange(1, num_classes + 1))
    return head


def launches(mode: str | None, width: int = 64, num_classes: int = 100, size: int = 128) -> dict[str, int]:
    """Calls of the second step, ``forward`` and ``backward``."""
    head = make_head(width, num_classes, mode).to('meta')
    labels = torch.zeros(size, dtype=torch.long, device='meta')
    found = {}
    for _ in range(2):  # the first has nothing to add its notes to
        features, counted = torch.randn(size, width, device='meta', requires_grad=True), Launches()
        with counted:
            losses = head.loss((features,), BatchSamples(labels))
            found['forward'] = counted.calls.total()
            sum(value for name, value in losses.items() if 'loss' in name).backward()
        found['backward'] = counted.calls.total() - found['forward']
    return found
