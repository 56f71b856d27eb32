"""Numbers that a config gives: checked where they are set, so that the message names the argument."""

from math import isfinite
from numbers import Integral, Real
from typing import Any

from mmdrl.errors import ConfigError


def is_whole(value: Any) -> bool:
    """Whether the value is a whole number by its type; ``2.0`` and ``True`` are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    """Whether the value is a number, neither infinite nor nan; ``True`` is none."""
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def check_whole(name: str, value: Any, least: int, when: str = '') -> None:
    """The value must be a whole number, and at least so much; ``when`` says what else asks for that.

    Raises:
        ConfigError: If it is not.
    """
    if not is_whole(value) or value < least:
        raise ConfigError(f'{name} must be a whole number of at least {least}{when}, got {value!r}.')


def check_finite(name: str, value: Any) -> None:
    """The value must be a number, neither infinite nor nan.

    Raises:
        ConfigError: If it is not.
    """
    if not is_finite(value):
        raise ConfigError(f'{name} must be a finite number, got {value!r}.')
