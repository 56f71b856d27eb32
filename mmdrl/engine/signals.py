"""Signals that ask a training to end, and who must not hear them.

A handler of Python runs in the main thread between two of its instructions: anywhere, so it only notes what came, until
the same signal comes again. Processes that the training forks, such as loader workers, have it ask them to end: a
Ctrl-C and many a job system tell every process of a run at once, and a training whose workers end cannot go on to save.
"""

import _thread
import ctypes
import inspect
import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import Any

from mmengine.runner import Runner

from mmdrl.errors import Interrupted

SIGNALS = tuple(getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGUSR1') if hasattr(signal, name))
_REPEATED = 5.0  # seconds in which what has started the processes passes on what they may have heard themselves
_SAID_AFTER = 1.0  # seconds; a run that ends sooner needs no word
_PARENT_HAS_DIED = 1  # PR_SET_PDEATHSIG of Linux


class HeardSignals:
    """What a training has heard.

    Attributes:
        first: Number of the signal that came first; 0 if none has.
        is_deaf: Set while nothing may be broken off.
    """

    def __init__(self) -> None:
        self.first = 0
        self.is_deaf = False
        self._times: dict[int, float] = {}
        self._before: dict[int, Any] = {}
        self._logger: logging.Logger | None = None

    def begin(self, logger: logging.Logger) -> None:
        """Hear signals from now on, except those that this process ignores; only its main thread can.

        Args:
            logger: Of the run.
        """
        self.first, self.is_deaf, self._times, self._logger = 0, False, {}, logger
        if self._before or threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._hear)

    def end(self) -> None:
        """Have signals do what they did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _hear(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        # In one step: the same signal may come again in the middle of this function, from another process.
        heard = self._times.setdefault(number, now)
        is_again = heard is not now
        if is_again and is_one_of_several() and now - heard < _REPEATED:
            return
        if not is_inside(Runner.train, frame):  # it has ended, or broken off by an error
            self.end()
            signal.raise_signal(number)
            return
        if self.is_deaf or (is_again and is_inside(Runner.save_checkpoint, frame)):
            return  # the run ends soon, and MMEngine would make a SyntaxError of it
        if is_again:
            self.end()
            raise Interrupted('It ended at once, without saving.', number, is_at_once=True)
        if not self.first:
            self.first = number
            # The log may be locked by what this has broken into. The module threading, too, so without it.
            _thread.start_new_thread(self._say, (signal.Signals(number).name,))

    def _say(self, name: str) -> None:
        time.sleep(_SAID_AFTER)
        if self.first and not self.is_deaf and self._before and self._logger is not None:
            again = 'Ctrl-C' if name == 'SIGINT' else name
            self._logger.warning(
                f'Heard {name}: the run saves and ends as soon as it can. Another {again} ends it now.'
            )


def is_one_of_several() -> bool:
    """Whether something has started this process that may hand on to it what it has heard itself."""
    return 'RANK' in os.environ


def is_inside(function: Any, frame: FrameType | None) -> bool:
    """Whether a frame is that of a function, or of what it has called."""
    code = inspect.unwrap(function).__code__
    while frame is not None:
        if frame.f_code is code:
            return True
        frame = frame.f_back
    return False


def spare_forked_processes() -> None:
    """Have processes that a training forks end with it alone, from now on; those of other start methods do not."""
    _Forks.register()


class _Forks:
    """What happens at every fork, once for the whole process: it cannot be taken back."""

    _is_registered = False
    _is_of_training = False

    @classmethod
    def register(cls) -> None:
        if not cls._is_registered and hasattr(os, 'register_at_fork'):
            cls._is_registered = True
            os.register_at_fork(before=cls._before, after_in_child=cls._in_child)

    @classmethod
    def _before(cls) -> None:
        is_main = threading.current_thread() is threading.main_thread()
        cls._is_of_training = is_main and is_inside(Runner.train, sys._getframe())

    @classmethod
    def _in_child(cls) -> None:
        if not cls._is_of_training:
            return
        parent = os.getppid()
        with suppress(AttributeError):  # Linux; a worker of torch looks for its parent every few seconds at best
            _C.prctl(_PARENT_HAS_DIED, signal.SIGKILL)
        for number in SIGNALS:
            if number != signal.SIGTERM:
                signal.signal(number, signal.SIG_IGN)
        if hasattr(signal, 'sigwaitinfo'):
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
            _thread.start_new_thread(_wait_for_parent, (parent,))


def _wait_for_parent(parent: int) -> None:
    """End when the training process says so; SIGTERM of others is for that process."""
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != parent:
        pass
    os._exit(0)


_C: Any = ctypes.CDLL(None) if sys.platform == 'linux' else None
