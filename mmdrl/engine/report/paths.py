"""Texts of a run without the folders of the machine it ran on: a report is for others to read and to repeat."""

import re
import shlex
from pathlib import PurePosixPath
from typing import Any

# Folders whose place inside a project is the same everywhere.
ANCHORS = ('work_dirs', 'configs', 'tools', 'examples', 'data')
_ABSOLUTE = re.compile(r'(?<![\w:/.~>-])~?/(?:[^\s\'"/,;:()\[\]<>]+/)*[^\s\'"/,;:()\[\]<>]+')


def short_path(path: str) -> str:
    """An absolute path from the last well-known folder on, or its last part; another one as it is."""
    if not path.startswith(('/', '~/')):
        return path
    parts = PurePosixPath(path).parts
    place = max((place for place, part in enumerate(parts[:-1]) if part in ANCHORS), default=len(parts) - 1)
    return '/'.join(parts[place:]) if len(parts) > 1 else path


def without_folders(value: Any) -> Any:
    """The same text, list or dict with short paths in place of absolute ones."""
    if isinstance(value, dict):
        return {key: without_folders(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(without_folders(entry) for entry in value)
    if not isinstance(value, str):
        return value
    if '\n' not in value and value.startswith(('/', '~/')) and len(PurePosixPath(value).parts) > 2:
        return short_path(value)  # as a whole: it may have spaces
    return _ABSOLUTE.sub(lambda match: short_path(match[0]), value)


def short_command(command: str) -> str:
    """A command line as one would type it in the project's folder."""
    try:
        words = shlex.split(command)
    except ValueError:
        return str(without_folders(command))
    shown = []
    for word in words:
        key, separator, value = word.partition('=')
        shown.append(f'{key}{separator}{without_folders(value)}' if separator else without_folders(word))
    if shown and shown[0].endswith('.py'):
        shown.insert(0, 'python')
    return shlex.join(shown)
