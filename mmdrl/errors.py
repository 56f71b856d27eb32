"""Exceptions for what a user can mend.

Each message is one sentence or two: what was expected, what came, what to do.
The command-line tools print that message without a traceback and exit with 1;
anything else that escapes is a bug and keeps its traceback.
"""

import errno


class MMDRLError(Exception):
    """Something in the user's set-up, config or data that the user can mend.

    A loader worker cannot hand on the exception itself: torch raises another one of the same class in the main
    process, whose message is the worker's whole traceback. Of that only the sentence at its end is kept.
    """

    def __init__(self, message: object = '', *arguments: object):
        super().__init__(_last_sentence(type(self), str(message)), *arguments)


class HostError(MMDRLError, ImportError):
    """The OpenMMLab packages are missing, too old, too new or doubly installed."""


class ConfigError(MMDRLError, ValueError):
    """A config asks for something that does not exist or does not fit."""


class DataError(MMDRLError, ValueError):
    """Data that is missing, malformed or at odds with the config."""


class LaunchError(MMDRLError, RuntimeError):
    """A run that this machine cannot start as asked."""


class DivergenceError(MMDRLError, RuntimeError):
    """Training has gone astray: images, features, losses, gradients or weights are no longer finite numbers.

    Args:
        message: The whole of it.
        what: What is not finite, without a remedy, for who can say more of when and where; not given: the message.
    """

    def __init__(self, message: object = '', *arguments: object, what: str = ''):
        super().__init__(message, *arguments)
        self.what = what or str(message).rstrip('.')


class ProcessError(MMDRLError, RuntimeError):
    """A process that the run needs has gone or does not answer: another one that trains, or a worker of a loader."""


class Interrupted(KeyboardInterrupt):
    """A signal has ended the run.

    Args:
        message: What is to be said of it.
        number: Of the signal.
        is_at_once: Whether nothing was saved, as the signal came again.
    """

    def __init__(self, message: str, number: int, is_at_once: bool = False):
        super().__init__(message)
        self.number = number
        self.is_at_once = is_at_once


def name_too_long(error: OSError) -> DataError | None:
    """A sentence if the error is that of a name that is too long, which no check of a file asks for."""
    if error.errno != errno.ENAMETOOLONG:
        return None
    return DataError(f'{error.strerror}: {error.filename!r:.80}. Give a shorter one.')


def _last_sentence(kind: type, message: str) -> str:
    """The message itself, or the one at the end of a worker's traceback."""
    if not (message.startswith(f'Caught {kind.__name__} in ') and 'Original Traceback' in message):
        return message
    return message.rpartition(f'\n{kind.__module__}.{kind.__qualname__}: ')[2].strip()
