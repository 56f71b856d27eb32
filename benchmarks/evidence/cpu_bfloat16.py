"""Training in bfloat16 on the CPU: MMEngine's ``AmpOptimWrapper`` takes no CPU, torch's autocast does.

bfloat16 has the range of float32, so losses are not scaled. Parameters, their gradients and the optimiser stay float32;
convolutions and matrix products run in bfloat16.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class CPUBfloat16OptimWrapper(OptimWrapper):
    """MMEngine's ``OptimWrapper`` whose forward pass runs under ``torch.autocast('cpu', torch.bfloat16)``."""

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """The context of the forward pass: that of ``OptimWrapper``, in bfloat16."""
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield
