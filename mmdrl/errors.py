"""Exceptions for what a user can mend.

Each message is one sentence or two: what was expected, what came, what to do.
The command-line tools print that message without a traceback and exit with 1;
anything else that escapes is a bug and keeps its traceback.
"""


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
    """Training has gone astray: features, radii or centroids are no longer finite numbers."""


def _last_sentence(kind: type, message: str) -> str:
    """The message itself, or the one at the end of a worker's traceback."""
    if not (message.startswith(f'Caught {kind.__name__} in ') and 'Original Traceback' in message):
        return message
    return message.rpartition(f'\n{kind.__module__}.{kind.__qualname__}: ')[2].strip()
