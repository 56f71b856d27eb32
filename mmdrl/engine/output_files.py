"""Files that a tool is to write, looked at before the work that fills them."""

import os
from pathlib import Path

from mmdrl.datasets.preparation import disk_errors
from mmdrl.errors import ConfigError, DataError


def check_target(option: str, path: Path, *sources: str) -> None:
    """A file must be one that can be written, in a folder that is made if need be, and none of the sources.

    Args:
        option: That names it, for the message.
        path: Of the file.
        sources: Files that are read, or addresses.

    Raises:
        MMDRLError: If it cannot.
    """
    for source in sources:
        is_file = path.exists() and os.path.exists(source) and path.samefile(source)  # links of both kinds
        if is_file or path.resolve() == Path(source).resolve():
            raise ConfigError(f'{option} {path} would overwrite {source}. Give it another name.')
    if path.is_dir():
        raise DataError(f'Expected {option} to name a file, got the folder {path}.')
    with disk_errors(f'Writing {path}'):
        path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise DataError(f'Expected to write {path}, but may not write into {path.parent}.')
