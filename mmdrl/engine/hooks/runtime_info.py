"""What a run is at, for whoever asks, without waiting for the device at every iteration."""

from typing import Any

from mmengine.hooks import RuntimeInfoHook as HostRuntimeInfoHook
from mmengine.runner import Runner

from mmdrl.engine.late_scalars import log_later
from mmdrl.registry import HOOKS


@HOOKS.register_module()
class RuntimeInfoHook(HostRuntimeInfoHook):
    """MMEngine's ``RuntimeInfoHook``, whose losses stay on the device until somebody looks at them.

    MMEngine's reads every loss at every iteration, and an accelerator stands still until the next step is launched.
    Here all that have gathered are read at once, when a log line is written, a checkpoint is saved, or any hook looks
    at ``runner.message_hub.log_scalars``. What they find, and what checkpoints hold, is the same, bit for bit.
    """

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Log what the step has returned."""
        log_later(runner.message_hub, {f'train/{name}': value for name, value in (outputs or {}).items()})
