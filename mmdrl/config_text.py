"""The text of a config is laid out once: MMEngine does it anew, by yapf, for every checkpoint that it writes.

That is 0.12 s each time, as long as an epoch of the digits. What yapf answers depends on text and style alone, so the
last answers are kept.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from types import ModuleType
from typing import Any

from mmdrl.import_hook import when_imported

KEPT = 4  # texts; a run has one, and its published copy another
_PLACES = ('mmengine.config.config', 'yapf.yapflib.yapf_api')  # upstream takes it at its import, the fork at each call


def remember_layout() -> None:
    """Have MMEngine lay out the text of an unchanged config once."""
    for place in _PLACES:
        when_imported(place, _remember)


def _remember(module: ModuleType) -> None:
    lay_out = getattr(module, 'FormatCode', None)
    if lay_out is not None and not hasattr(lay_out, 'remembers'):
        vars(module)['FormatCode'] = remembering(lay_out)


def remembering(lay_out: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which keeps its last answers; a style that is no dict may be a file, which changes."""

    @lru_cache(maxsize=KEPT)
    def laid_out(text: str, style: tuple[tuple[str, Any], ...], settings: tuple[tuple[str, Any], ...]) -> Any:
        return lay_out(text, style_config=dict(style), **dict(settings))

    @wraps(lay_out)
    def answer(text: str, *args: Any, **settings: Any) -> Any:
        style = settings.get('style_config')
        if args or not isinstance(style, dict):
            return lay_out(text, *args, **settings)
        others = {name: value for name, value in settings.items() if name != 'style_config'}
        try:
            return laid_out(text, tuple(style.items()), tuple(others.items()))
        except TypeError:  # settings that cannot be looked up, or that this version of yapf does not know
            return lay_out(text, **settings)

    vars(answer)['remembers'] = True
    return answer
