"""Exceptions for what a user can mend.

Each message is one sentence or two: what was expected, what came, what to do.
The command-line tools print that message without a traceback and exit with 1;
anything else that escapes is a bug and keeps its traceback.
"""


class MMDRLError(Exception):
    """Something in the user's set-up, config or data that the user can mend."""


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
