"""Progress on a terminal: a bar for every pass, and one line for every epoch and validation."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from rich.console import Console
from rich.progress import TaskID

from mmdrl.engine.console_log import join_bars
from mmdrl.engine.progress_lines import epoch_line, epoch_of, training_note, trains_by_epoch, validation_line
from mmdrl.registry import HOOKS
from mmdrl.visualization.bars import Screen, screen


@HOOKS.register_module()
class ProgressHook(Hook):
    """Draws bars on a terminal; elsewhere, and on all but the first process, it stays silent.

    Training, validation and test have a bar each. Log lines appear above it while it is drawn. Started by the tools of
    mmdrl, a run has one line per epoch and per validation on the terminal in place of MMEngine's.

    Args:
        interval: Iterations between two readings of the losses, each of which waits for the device.
        console: Where to draw. Not given: the terminal of standard output.
    """

    def __init__(self, interval: int = 10, console: Console | None = None):
        self.interval = interval
        self._screen = Screen(console) if console else None
        self._bars: dict[str, TaskID | None] = {}
        self._writes_lines = False

    @property
    def screen(self) -> Screen:
        """Where the bars are; found late, as standard output may be another by then."""
        return self._screen or screen()

    def before_run(self, runner: Runner) -> None:
        """Let the log write above the bars."""
        if self.screen.is_drawn:
            self._writes_lines = join_bars(runner.logger, self.screen, trains_by_epoch(runner))

    def before_train_epoch(self, runner: Runner) -> None:
        """Draw the bar, empty unless the run resumes."""
        stage = runner.message_hub.runtime_info.get('stage', 'train')
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            self._begin('train', f'{stage}', runner.max_iters, runner.iter)
            return
        done = getattr(runner.train_loop, 'first_batch', 0)
        title = f'{epoch_of(runner, runner.epoch + 1)}  {stage}'
        self._begin('train', title, len(runner.train_dataloader), done)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Move the bar on."""
        if self._bars.get('train') is None:
            return
        is_read = batch_idx % self.interval == 0 and isinstance(outputs, dict)
        self.screen.move(
            self._bars['train'], note=training_note(outputs, self.screen.console.width) if is_read else None
        )

    def after_train_epoch(self, runner: Runner) -> None:
        """Take the bar away; the line of the epoch stays."""
        self._end('train')
        if self._writes_lines and not isinstance(runner.train_loop, IterBasedTrainLoop):
            self.screen.write(epoch_line(runner, self.screen.console.width) + '\n')

    def before_val_epoch(self, runner: Runner) -> None:
        """Draw the bar."""
        self._begin('val', 'validation', len(runner.val_dataloader))

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Move the bar on."""
        self.screen.move(self._bars.get('val'))

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Take the bar away; the line of the validation stays."""
        self._end('val')
        if self._writes_lines and metrics:
            self.screen.write(validation_line(runner, metrics, self.screen.console.width) + '\n')

    def before_test_epoch(self, runner: Runner) -> None:
        """Draw the bar."""
        self._begin('test', 'test', len(runner.test_dataloader))

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Move the bar on."""
        self.screen.move(self._bars.get('test'))

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Take the bar away."""
        self._end('test')

    def _begin(self, name: str, title: str, total: int, done: int = 0) -> None:
        self._end(name)  # of a pass that broke off
        self._bars[name] = self.screen.begin(title, total, done)

    def _end(self, name: str) -> None:
        self.screen.end(self._bars.pop(name, None))
