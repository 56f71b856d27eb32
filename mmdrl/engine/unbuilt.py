"""A sentence in place of whatever a class answers when a registry builds it from settings that do not fit."""

import traceback
from pathlib import Path
from typing import Any

from mmdrl.errors import ConfigError, MMDRLError

_SHOWN = 300  # characters of the settings


def tell_unbuilt(error: Exception) -> None:
    """Raise a sentence if the error came out of a class that was being built by a registry.

    Where in the code it arose is said too: it may be a mistake in a class of the user's own.

    Raises:
        ConfigError: The sentence.
    """
    if isinstance(error, MMDRLError):
        return
    calls = list(traceback.walk_tb(error.__traceback__))
    configs = [frame.f_locals.get('cfg') for frame, _ in calls if frame.f_code.co_name == 'build_from_cfg']
    if not configs:
        return
    config: Any = configs[-1]
    kind = config.get('type') if hasattr(config, 'get') else None
    if not (isinstance(kind, str) or callable(kind)):
        raise ConfigError(
            f'The config does not fit: expected a dict with a type that is registered, got {config!r:.80}. Write '
            'dict(type=...), or leave it out.'
        ) from error
    frame, line = calls[-1]
    settings = ', '.join(f'{key}={value!r:.40}' for key, value in config.items() if key not in ('type', '_scope_'))
    what = ': '.join(filter(None, (type(error).__name__, ' '.join(str(error).split()))))
    raise ConfigError(
        f'The config does not fit: {getattr(kind, "__name__", kind)} cannot be built with '
        f'{settings[:_SHOWN] or "no settings"}. It answers {what} '
        f'({Path(frame.f_code.co_filename).name}, line {line}). Mend these settings.'
    ) from error
