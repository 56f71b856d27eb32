"""What of the log is shown on the console: the file of a run has all of it.

MMEngine writes environment, config and hooks before a run, a warning for each frozen parameter, and three lines per
epoch. The console leaves out what the header and the bars say shorter, and what asks nothing of the reader.
"""

import logging
from typing import Any

from mmengine.logging import MMLogger
from termcolor import colored

from mmdrl.visualization.bars import Screen, folded, screen

from .safe_runner import SafeRunner

_BEGINNINGS = (
    '\n' + 60 * '-' + '\nSystem environment:',
    'Config:\n',
    'Made with:\n',
    'Hooks will be executed in the following order:',
    'Distributed training is not used, all SyncBatchNorm',
    'Checkpoints will be saved to ',
    'Load checkpoint from ',  # after a line that says the same
    'Exp name: ',
    'Saving checkpoint at ',
    'paramwise_options -- ',
    'Samples of iteration ',  # all of a batch, of which a sentence has named some
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
)
_SKIPPED = ' is skipped since its requires_grad=False'
_TRAINING = 'Epoch(train)'
_EVALUATION = ('Epoch(val)', 'Epoch(test)', 'Iter(val)')


class ConsoleFilter(logging.Filter):
    """Leaves out lines of the host that are for the file.

    Attributes:
        replaced: Beginnings of lines for which bars and lines of :class:`mmdrl.engine.ProgressHook` stand.
    """

    replaced: tuple[str, ...] = ()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is shown."""
        text = record.getMessage()
        if record.levelno > logging.WARNING:
            return True
        return not (text.startswith((*_BEGINNINGS, *self.replaced)) or text.endswith(_SKIPPED))


class ShortFormatter(logging.Formatter):
    """A message without date, and its level if it asks for notice; the file has date and time.

    Args:
        on: Whose lines a message is to fit into.
    """

    def __init__(self, on: Screen):
        super().__init__()
        self.on = on

    def format(self, record: logging.LogRecord) -> str:
        """The message."""
        text = super().format(record)
        text = folded(text, self.on.console.width)
        if record.levelno <= logging.INFO:
            return text
        colour = 'yellow' if record.levelno == logging.WARNING else 'red'
        return f'{colored(record.levelname, colour)}: {text}'


class ConsoleStream:
    """Stands in for standard output in a handler, so that long lines are not broken above a bar."""

    def __init__(self, on: Screen):
        self.on = on

    def write(self, text: str) -> None:
        """Write whole lines."""
        self.on.write(text)

    def flush(self) -> None:
        """Nothing is kept back, but by what stands behind."""
        self.on.console.file.flush()


class CalmRunner(SafeRunner):
    """A runner whose console shows what a person has to know; the file of its log has all."""

    def build_logger(self, *args: Any, **settings: Any) -> MMLogger:
        """The logger, with a filter before its console."""
        logger = super().build_logger(*args, **settings)
        for handler in console_handlers(logger):
            if not any(isinstance(known, ConsoleFilter) for known in handler.filters):
                handler.addFilter(ConsoleFilter())
        return logger


def console_handlers(logger: logging.Logger) -> list[logging.StreamHandler]:
    """What writes a log to the terminal."""
    return [
        handler
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)
    ]


def join_bars(logger: logging.Logger, on: Screen | None = None, by_epoch: bool = True) -> bool:
    """Let a log write above the bars of a screen, and leave out what they show.

    Args:
        logger: Of a run.
        on: The screen. Not given: that of standard output.
        by_epoch: Whether somebody writes a line for each epoch; else those of the training stay.

    Returns:
        Whether it leaves out lines of epochs, for which somebody must stand in.
    """
    has_lines = False
    on = on or screen()
    for handler in console_handlers(logger):
        handler.setStream(ConsoleStream(on))
        for known in handler.filters:
            if isinstance(known, ConsoleFilter):
                known.replaced = (_TRAINING, *_EVALUATION) if by_epoch else _EVALUATION
                handler.setFormatter(ShortFormatter(on))
                has_lines = has_lines or handler.level <= logging.INFO
    return has_lines
