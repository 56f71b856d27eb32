"""The two hooks by which a loop brings its part into every checkpoint; the loop itself registers them."""

from typing import Any

from mmengine.dist import all_gather_object, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdrl.engine.accumulation import KEY as GRADIENTS
from mmdrl.engine.accumulation import gradients_so_far
from mmdrl.engine.common_state import common_buffers
from mmdrl.engine.guarded_step import GuardedStep

from .foreseen import saves_after_epoch, saves_after_iteration, saves_after_validation, saving_plan
from .position import KEY as POSITION


class GatherHook(Hook):
    """Gathers from several processes what a checkpoint is to hold, right before one is saved.

    Attributes:
        iteration: Iterations that were done at that time; -1 if there was none.
        buffers: Buffers over all processes, by name.
        gradients: Gradients that wait for a step, if there are any.
    """

    priority = 'LOW'  # after SyncBuffersHook, EMAHook and CentroidHook, before CheckpointHook

    def __init__(self) -> None:
        self.iteration = -1
        self.buffers: dict[str, Any] = {}
        self.gradients: dict[str, Any] | None = None
        self._is_agreed = True

    def before_train(self, runner: Runner) -> None:
        """Processes that save at different times must not wait for each other."""
        plans = all_gather_object(saving_plan(runner))
        self._is_agreed = all(plan == plans[0] for plan in plans)
        if not self._is_agreed:
            runner.logger.warning(
                'The processes have different CheckpointHooks. So checkpoints inside an epoch hold batch statistics '
                'and centroid sums of the first only, and no accumulated gradients.'
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Let go of what will not be saved any more."""
        self.iteration, self.buffers, self.gradients = -1, {}, None

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Gather if a checkpoint is due after the iteration."""
        if saves_after_iteration(runner):
            self._gather_from_all(runner, runner.iter + 1)

    def after_train_epoch(self, runner: Runner) -> None:
        """The same after an epoch, whose gradients may wait for a step in the next."""
        if saves_after_epoch(runner):
            self._gather_from_all(runner, runner.iter)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """The same after validation, which may have found the best checkpoint."""
        if saves_after_validation(runner):
            self._gather_from_all(runner, runner.iter)

    def gather(self, runner: Runner, iteration: int) -> None:
        """Gather now; all processes must call this."""
        if isinstance(step := runner.model.train_step, GuardedStep):
            step.read_notes()  # here all stop; the one that saves, reading alone, would leave the others waiting
        self.iteration, self.buffers, self.gradients = iteration, common_buffers(runner), gradients_so_far(runner)

    def _gather_from_all(self, runner: Runner, iteration: int) -> None:
        if get_world_size() > 1 and self._is_agreed:  # one process gathers when it saves, foreseen or not
            self.gather(runner, iteration)


class StateHook(Hook):
    """Puts position and gathered state into a checkpoint, and takes up the position of one.

    Args:
        loop: The training loop of the runner.
        gathered: What has been gathered.
    """

    priority = 'HIGH'  # before an EMAHook puts its averages in place of the weights

    def __init__(self, loop: Any, gathered: GatherHook):
        self.loop = loop
        self.gathered = gathered

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Write; on the first process alone, which saves."""
        meta = checkpoint['meta']
        position = self.loop.position(meta['epoch'], meta['iter'])
        checkpoint[POSITION] = position.to_dict()
        if get_world_size() == 1:
            self.gathered.gather(runner, meta['iter'])
        if self.gathered.iteration == meta['iter']:
            checkpoint['state_dict'].update({name: value.cpu() for name, value in self.gathered.buffers.items()})
            if self.gathered.gradients is not None:
                checkpoint[GRADIENTS] = self.gathered.gradients
        elif position.batches > 0:
            runner.logger.warning(
                'This checkpoint inside an epoch was not foreseen by all processes. It holds batch statistics and '
                'centroid sums of the first only, and no accumulated gradients.'
            )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Hand the state to the loop, which takes it up if the run resumes and not if it loads weights alone."""
        self.loop.take_up({key: checkpoint[key] for key in (POSITION, GRADIENTS) if key in checkpoint})
