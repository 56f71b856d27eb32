"""A compiled backbone: nearly all the time of a step on the CPU, and nothing that reads a value or draws a number.

MMEngine's ``compile=True`` compiles all of ``train_step``, with augmentation and optimiser.
"""

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mmdrl.engine.model_parts import unwrap


@HOOKS.register_module()
class CompiledBackboneHook(Hook):
    """Compiles the forward pass of the backbone in training; names of parameters stay as they are.

    In evaluation mode, as in validation or while it is frozen, the backbone runs as it is: to compile it for a few
    passes takes longer than they do.
    """

    def before_train(self, runner: Runner) -> None:
        """Put the compiled function in the place of ``backbone.forward``; the first batch compiles it."""
        backbone = unwrap(runner.model).backbone
        as_is, compiled = backbone.forward, torch.compile(backbone.forward, dynamic=False)
        backbone.forward = lambda *args: compiled(*args) if backbone.training else as_is(*args)
