"""Arguments that a config gives: checked where they are set, so that the message names them."""

from collections.abc import Sequence
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


def with_pipeline(dataset: Any, pipeline: Sequence[Any]) -> dict[str, Any]:
    """Config of a data set with these transforms.

    Raises:
        ConfigError: If it is none, or one that wraps others, which have transforms of their own.
    """
    if not isinstance(dataset, dict) or {'dataset', 'datasets'} & set(dataset):
        raise ConfigError(
            'A pipeline is handed to the data set inside, which must be the config of one that wraps no other. Give '
            'that data set its own pipeline.'
        )
    return dict(dataset, pipeline=pipeline)
