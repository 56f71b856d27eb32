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

from mmdrl.errors import ConfigError


@OPTIM_WRAPPERS.register_module()
class CPUBfloat16OptimWrapper(OptimWrapper):
    """MMEngine's ``OptimWrapper`` whose forward pass runs under ``torch.autocast('cpu', torch.bfloat16)``."""

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """The context of the forward pass: that of ``OptimWrapper``, in bfloat16.

        Raises:
            ConfigError: If the model is not on the CPU, where this would train it in float32 without a word.
        """
        place = next(model.parameters()).device
        if place.type != 'cpu':
            raise ConfigError(
                f'Expected the model of CPUBfloat16OptimWrapper on the CPU, got {place}. Use --device cpu.'
            )
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield
