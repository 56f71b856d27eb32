"""The line that a validation leaves in the log, short enough to be read."""

import re
from collections.abc import Iterable
from typing import Any

from mmengine.runner import LogProcessor, Runner

from mmdrl.errors import ConfigError
from mmdrl.registry import LOG_PROCESSORS

# What the many other values of the line tell as well, or is looked at afterwards.
_LONG = ('balanced', 'head_tail_gap', 'mce', 'brier', r'(ece|mce|brier)_\w+', 'ncm/(macro_f1|worst_class)')


@LOG_PROCESSORS.register_module()
class BriefLogProcessor(LogProcessor):
    """MMEngine's log processor, whose lines of validation and test leave some values out.

    They are still in ``scalars.json`` and every other backend, in ``results.json``, and where ``save_best`` looks.

    Args:
        hidden: Names of the values to leave out of the lines, as regular expressions that match the whole name; a
            prefix such as ``ncm/`` may stand before it.
        **settings: Of MMEngine's ``LogProcessor``.

    Raises:
        ConfigError: If ``hidden`` is no list of regular expressions.
    """

    def __init__(self, hidden: tuple[str, ...] | list[str] = _LONG, **settings: Any):
        super().__init__(**settings)
        # A string is a sequence, too: of its letters.
        if not isinstance(hidden, (tuple, list)) or not all(isinstance(name, str) for name in hidden):
            raise ConfigError(f'BriefLogProcessor: hidden must be a list of names, got {hidden!r}.')
        for name in hidden:
            try:
                re.compile(name)
            except re.error as error:
                raise ConfigError(f'BriefLogProcessor: {name!r} of hidden is no regular expression: {error}.') from None
        self.hidden = re.compile(rf'(?:.*/)?(?:{"|".join(hidden)})') if hidden else None

    def get_log_after_epoch(self, runner: Runner, batch_idx: int, mode: str, *args: Any, **options: Any) -> Any:
        """Scalars, all of them, and text of a validation or test."""
        scalars, text = super().get_log_after_epoch(runner, batch_idx, mode, *args, **options)
        return scalars, self.shorten(text, scalars)

    def shorten(self, text: str, names: Iterable[str]) -> str:
        """A line without those of the named values that are hidden."""
        for name in names:
            if self.hidden is not None and self.hidden.fullmatch(name):
                text = re.sub(rf'(?<!\S){re.escape(name)}: \S+(  |$)', '', text)
        return text.rstrip()
