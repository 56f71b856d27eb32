"""Saves and ends a run that is asked to end, such that it goes on with the very next batch."""

from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmdrl.engine.atomic_files import ATOMIC, note_last
from mmdrl.engine.checkpoints import INTERRUPTED, LAST
from mmdrl.engine.gone_processes import waiting_time
from mmdrl.engine.loops.foreseen import saves_after_epoch, saves_after_iteration
from mmdrl.engine.loops.saving import GatherHook
from mmdrl.engine.signals import HeardSignals, is_one_of_several, spare_forked_processes
from mmdrl.engine.vote import StopVote
from mmdrl.errors import Interrupted
from mmdrl.registry import HOOKS


@HOOKS.register_module()
class PreemptionHook(Hook):
    """Ends a training that hears SIGINT (Ctrl-C), SIGTERM or SIGUSR1, after saving all that it needs to go on.

    The iteration is finished, ``interrupted.pth`` written, and named by ``last_checkpoint``: ``--resume`` goes on with
    the next batch, and what the run comes to is what the unbroken one does, as far as its loop resumes (those of mmdrl
    inside an epoch, MMEngine's between two). The file goes when the run has saved a newer checkpoint. If a checkpoint
    of the same iteration is there, nothing is saved. A validation is broken off if there is one, and repeated when the
    run goes on; otherwise it is finished, as is a pass for centroids of mode ``'epoch'``.

    The same signal again ends the run at once, but for a save. Until the first iteration has begun, and once the run
    has ended, signals do what they did before. Loader workers, as far as they are forked, hear none of them.

    Several processes stop after the same iteration, whichever of them hear the signal. What has started them may repeat
    it, so for 5 seconds the same signal does not count as another.

    Args:
        interval: Iterations after which several processes ask each other. One such question takes a process about half
            a millisecond of a CPU, and a run stops at the latest one iteration after the next.

    Raises:
        Interrupted: When the run ends so; a ``KeyboardInterrupt`` that knows the number of the signal.
    """

    priority = 'LOWEST'  # after CheckpointHook: what it saves needs no second checkpoint

    def __init__(self, interval: int = 4):
        self.interval = interval
        self.signals = HeardSignals()
        self._vote: StopVote | None = None
        self._saved = -1  # iterations that were done when a checkpoint with all state was last saved
        self._listens = False
        self._turns = 0  # of a validation, in which all processes take part

    def before_run(self, runner: Runner) -> None:
        """See to loader workers before there are any."""
        spare_forked_processes()

    def before_train(self, runner: Runner) -> None:
        """Meet the other processes."""
        self._vote = StopVote(waiting_time(runner.cfg))
        self._saved, self._listens = -1, False

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Listen, once there is something to save."""
        if not self._listens:
            self._listens = True
            self.signals.begin(runner.logger)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Stop here, if a process has heard a signal."""
        is_saved = saves_after_iteration(runner, whole=True)
        if is_saved:
            self._note_saved(runner, runner.iter + 1)
        number = self._asked(runner.iter)
        if number:
            self._stop(runner, number, is_saved, epoch=runner.epoch, iteration=runner.iter + 1)

    def after_train_epoch(self, runner: Runner) -> None:
        """Stop before a validation rather than after."""
        if isinstance(runner.train_loop, IterBasedTrainLoop) or self._vote is None:
            return
        is_saved = saves_after_epoch(runner, whole=True)
        if is_saved:
            self._note_saved(runner, runner.iter)
        number = self._asked_now()
        if number:
            self._stop(runner, number, is_saved, epoch=runner.epoch + 1, iteration=runner.iter)

    def before_val_epoch(self, runner: Runner) -> None:
        """Stop here, or settle how many batches of the validation all processes have."""
        self._turns = 0
        if self._vote is not None and self._saved == runner.iter:
            number = self._asked_now()
            if number:
                self._stop(runner, number, is_saved=True)
            self._turns = -self._vote.now(-len(runner.val_dataloader)) if get_world_size() > 1 else 1 << 62

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Break a validation off, if the run can go on from a checkpoint saved right before."""
        if self._vote is None or batch_idx >= self._turns:
            return
        number = self._asked(batch_idx)
        if number:
            self._stop(runner, number, is_saved=True)

    def after_train(self, runner: Runner) -> None:
        """Hear no more."""
        if self._vote is not None:
            self._vote.answer()
        self.signals.end()

    def _asked_now(self) -> int:
        """The same at once, for which the processes wait for each other."""
        assert self._vote is not None
        return self._vote.now(max(self._vote.answer(), self.signals.first))

    def _asked(self, turn: int) -> int:
        """Number of a signal that any process has heard, known to all; read one turn after they were asked."""
        assert self._vote is not None
        if get_world_size() == 1:
            return self.signals.first
        number = self._vote.answer() if self._vote.is_asked else 0
        if not number and turn % self.interval == 0:
            self._vote.ask(self.signals.first)
        return number

    def _stop(self, runner: Runner, number: int, is_saved: bool, **meta: int) -> None:
        """Save unless that is done; all processes call this."""
        self.signals.is_deaf = True
        if not is_saved:
            self._save(runner, dict(epoch=meta['epoch'], iter=meta['iteration']))
        if self._vote is not None:
            self._vote.now(0)  # or the first to end might have its launcher end the one that writes
        if not is_one_of_several():  # else what is repeated would break off what there is to say
            self.signals.end()
        raise Interrupted(
            f'The run has ended for a signal. It goes on from {runner.work_dir} with resume=True.', number
        )

    def _save(self, runner: Runner, meta: dict[str, int]) -> None:
        for hook in runner.hooks:
            if isinstance(hook, GatherHook) and get_world_size() > 1:  # one process gathers when it saves
                hook.gather(runner, meta['iter'])
        runner.save_checkpoint(runner.work_dir, INTERRUPTED, by_epoch=False, meta=meta, backend_args=dict(ATOMIC))
        if is_main_process():
            note_last(runner.work_dir, Path(runner.work_dir, INTERRUPTED))

    def _note_saved(self, runner: Runner, iteration: int) -> None:
        """A newer checkpoint is there, which takes the place of the one that was saved when the run was interrupted."""
        self._saved = iteration
        kept = Path(runner.work_dir, INTERRUPTED)
        if is_main_process() and kept.is_file():
            last = Path(runner.work_dir, LAST)
            if last.is_file() and Path(last.read_text().strip()).name != INTERRUPTED:
                kept.unlink()
