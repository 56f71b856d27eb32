"""Where mixed precision must not reach."""

from contextlib import AbstractContextManager, nullcontext

import torch


def without_autocast(device: torch.device) -> AbstractContextManager:
    """Context in which tensors on the device are computed with in the precision that they have."""
    if not torch.amp.is_autocast_available(device.type):  # on ``meta``, say
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
