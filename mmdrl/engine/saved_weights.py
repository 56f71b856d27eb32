"""Weights of a checkpoint, looked at before they are loaded.

torch takes some of what does not fit: whole numbers become weights, and a tensor without content leaves the memory as
it was.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mmdrl.errors import DataError

_ANOTHER = 'It is damaged, or of another program: take another checkpoint.'


def check_weights(saved: Any, wanted: Mapping[str, Tensor], path: str) -> None:
    """Weights must be tensors by name, with content, and numbers of the kind that the model has there.

    Args:
        saved: Of the checkpoint.
        wanted: Of the model; entries that are missing or of another shape are for others to tell.
        path: Of the file, for the message.

    Raises:
        DataError: If they are not.
    """
    odd = [name for name in saved if not isinstance(name, str)] if isinstance(saved, Mapping) else [saved]
    if odd:
        raise DataError(f'{path} must hold state_dict as a dict of tensors by name, got {odd[0]!r:.80}. {_ANOTHER}')
    for name in wanted:
        if name not in saved:
            continue
        value = saved[name]
        if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_meta:
            got = f'a {value.layout} tensor on {value.device}' if isinstance(value, Tensor) else repr(value)[:80]
            raise DataError(f'{path} must hold {name} as a dense tensor with content, got {got}. {_ANOTHER}')
        if _kind(value) != _kind(wanted[name]):
            raise DataError(
                f'{path} must hold {name} as {_kind(wanted[name])}, got {value.dtype}. Loading would change the '
                'values: convert the file, or take another checkpoint.'
            )


def _kind(tensor: Tensor) -> str:
    if tensor.is_complex():
        return 'complex numbers'
    if tensor.dtype == torch.bool:
        return 'booleans'
    return 'real numbers' if tensor.is_floating_point() else 'whole numbers'
