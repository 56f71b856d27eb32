"""A compiled backbone: nearly all time of a step on the CPU, and nothing that reads a value or draws a random number.

MMEngine's ``compile=True`` compiles all of ``train_step``, augmentation and looks at the losses included.
"""

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mmdrl.engine.model_parts import unwrap


@HOOKS.register_module()
class CompiledBackboneHook(Hook):
    """Compiles the backbone in place before training; names of parameters stay as they are."""

    def before_train(self, runner: Runner) -> None:
        """Compile at the first batch of each kind."""
        unwrap(runner.model).backbone.compile(dynamic=False)
