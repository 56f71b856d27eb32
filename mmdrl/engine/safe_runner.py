"""A runner that leaves nothing half-written, however it ends."""

import logging
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.logging import MMLogger
from mmengine.runner import Runner

from .atomic_files import AtomicBackend


class SafeRunner(Runner):
    """MMEngine's runner, whose config is written whole or not at all, and whose log says once that it cannot be.

    Attributes:
        began_at: Iterations that a checkpoint has brought, which this runner has not trained.
    """

    began_at = 0

    def build_logger(self, *args: Any, **settings: Any) -> MMLogger:
        """The logger."""
        logger = super().build_logger(*args, **settings)
        say_once_what_fails(logger)
        return logger

    def dump_config(self) -> None:
        """Write the config into the work folder."""
        if is_main_process():
            path = Path(self.work_dir) / Path(self.cfg.filename or f'{self.timestamp}.py').name
            AtomicBackend().put_text(self.cfg.dump(), path)

    def resume(self, *args: Any, **settings: Any) -> None:
        """Take up a checkpoint, and note how far it had come."""
        super().resume(*args, **settings)
        self.began_at = self.iter


def say_once_what_fails(logger: logging.Logger) -> None:
    """Let a log that cannot be written be one sentence, where Python prints a traceback for each line of it.

    The log itself does not end a run; what cannot be done without fails on a full disk soon enough.
    """
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler):
            vars(handler)['handleError'] = partial(_say_once, handler, [])


def _say_once(handler: logging.StreamHandler, said: list[str], record: logging.LogRecord) -> None:
    """In place of the ``handleError`` of a handler."""
    error = sys.exc_info()[1]
    if not isinstance(error, OSError):
        logging.Handler.handleError(handler, record)
        return
    reason = str(error.strerror)
    if reason not in said and isinstance(handler, logging.FileHandler):
        said.append(reason)
        with suppress(OSError):
            print(f'WARNING: The log {handler.baseFilename} cannot be written: {reason}.', file=sys.stderr)
