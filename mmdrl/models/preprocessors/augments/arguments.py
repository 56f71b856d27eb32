"""What the steps demand of their settings, each refusal in one sentence."""

from collections.abc import Collection
from typing import Any, TypeVar

from mmdrl.errors import ConfigError

Value = TypeVar('Value', int, float)


def check_choice(owner: str, name: str, value: Any, choices: Collection[str]) -> None:
    """The value must be one of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise ConfigError(f'{owner}: {name} must be one of {", ".join(choices)}, got {value!r}.')


def check_whole(owner: str, name: str, value: Any, least: int, most: int | None = None) -> None:
    """The value must be an int from ``least`` to ``most``."""
    if type(value) is not int or value < least or (most is not None and value > most):
        wanted = f'of at least {least}' if most is None else f'from {least} to {most}'
        raise ConfigError(f'{owner}: {name} must be a whole number {wanted}, got {value!r}.')


def check_share(owner: str, name: str, value: Any) -> None:
    """The value must be a number of [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ConfigError(f'{owner}: {name} must be a number from 0 to 1, got {value!r}.')


def numbers(owner: str, name: str, value: Any, most: float) -> tuple[float, ...]:
    """A number for all channels, or one for each, of 0 to ``most``.

    Raises:
        ConfigError: If it is none of those.
    """
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    is_number = all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in values)
    if not values or not is_number or not all(0 <= one <= most for one in values):
        raise ConfigError(f'{owner}: {name} must be a number from 0 to {most} or one for each channel, got {value!r}.')
    return values


def pixel_value(owner: str, name: str, value: Any) -> tuple[int, ...]:
    """Likewise of 0 to 255, as whole numbers; broken ones lose what follows the point."""
    return tuple(int(one) for one in numbers(owner, name, value, 255))


def for_channels(owner: str, name: str, values: tuple[Value, ...], channels: int) -> tuple[Value, ...]:
    """The values if there is one for each channel, the value if they are one.

    Raises:
        ConfigError: If there are different ones of another number than that of the channels.
    """
    if len(values) == channels:
        return values
    if len(set(values)) > 1:
        raise ConfigError(f'{owner}: {name} has {len(values)} values, {values}, for images of {channels} channels.')
    return values[:1]


def check_even(owner: str, name: str, value: Any) -> None:
    """The value must be an even int above 0."""
    if type(value) is not int or value < 2 or value % 2:
        raise ConfigError(f'{owner}: {name} must be an even whole number above 0, got {value!r}.')


def check_channels(owner: str, channels: int) -> None:
    """Images must be grey or coloured."""
    if channels not in (1, 3):
        raise ConfigError(f'{owner} takes images of one or three channels, got {channels}. Leave it out.')
