"""A checkpoint with another last layer: all that testing needs, and nothing that would let training go on."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

_OF_TRAINING = ('epoch', 'iter')  # without them nothing resumes


def new_checkpoint(
    content: Mapping[str, Any], changes: Mapping[str, Tensor], class_counts: Tensor, record: dict[str, Any]
) -> dict[str, Any]:
    """Content of a checkpoint with some entries changed.

    Args:
        content: Of the source; stays as it is.
        changes: Entries of the model's state, by full names.
        class_counts: Training images per class, shape ``(K,)``, for metrics that group the classes.
        record: How it came about, for ``meta['rebalance']``.
    """
    state = dict(content.get('state_dict', content))
    state |= {name: value.cpu().clone() for name, value in changes.items()}
    meta = {key: value for key, value in (content.get('meta') or {}).items() if key not in _OF_TRAINING}
    return dict(meta=meta | dict(rebalance=record), state_dict=state, class_counts=class_counts.tolist())
