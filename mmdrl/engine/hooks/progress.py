"""A progress bar per training epoch: iterations, time left, losses and the name of the stage."""

import atexit
import logging
import sys
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mmdrl.registry import HOOKS


@HOOKS.register_module()
class ProgressHook(Hook):
    """Draws the bar on a terminal; elsewhere, and on all but the first process, it stays silent.

    Log lines appear above the bar while it is drawn.

    Args:
        interval: Iterations between two readings of the losses, each of which waits for the device.
        console: Where to draw. Not given: the terminal of standard output.
    """

    def __init__(self, interval: int = 10, console: Console | None = None):
        self.interval = interval
        self.console = console or Console(file=sys.stdout)
        self._progress: Progress | None = None
        atexit.register(self._stop)  # a run that breaks off must not leave the cursor hidden

    def before_train_epoch(self, runner: Runner) -> None:
        """Draw the bar, empty unless the run resumes."""
        if not (is_main_process() and self.console.is_terminal):
            return
        stage = runner.message_hub.runtime_info.get('stage', 'train')
        self._progress = Progress(
            TextColumn(f'epoch {runner.epoch + 1:>3}/{runner.max_epochs}  [bold]{escape(stage)}[/]'),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn('{task.fields[losses]}'),
            console=self.console,
            transient=True,
        )
        done, total = getattr(runner.train_loop, 'first_batch', 0), len(runner.train_dataloader)
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            done, total = runner.iter, runner.max_iters
        self._task = self._progress.add_task('', total=total, completed=done, losses='')
        self._progress.start()
        self._streams = [(handler, handler.stream) for handler in _console_handlers(runner.logger)]
        for handler, _ in self._streams:
            handler.setStream(sys.stdout)  # rich stands in for it while the bar is drawn

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Move the bar on."""
        if self._progress is None:
            return
        if batch_idx % self.interval == 0 and isinstance(outputs, dict):
            losses = {name: float(value.detach()) for name, value in outputs.items() if 'loss' in name}
            text = '  '.join(f'{name} {value:.3f}' for name, value in losses.items())
            self._progress.update(self._task, losses=text)
        self._progress.advance(self._task)

    def after_train_epoch(self, runner: Runner) -> None:
        """Take the bar away."""
        self._stop()

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            for handler, stream in self._streams:
                handler.setStream(stream)


def _console_handlers(logger: logging.Logger) -> list[logging.StreamHandler]:
    return [
        handler
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)
    ]
