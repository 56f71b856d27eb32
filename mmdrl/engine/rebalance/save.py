"""A checkpoint with another last layer: all that testing needs, and nothing that would let training go on."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from mmdrl.datasets.preparation import disk_errors
from mmdrl.errors import ConfigError, DataError

_OF_TRAINING = ('epoch', 'iter')  # without them nothing resumes


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


def new_checkpoint(
    content: Mapping[str, Any], changes: Mapping[str, Tensor], class_counts: Tensor, record: dict[str, Any]
) -> dict[str, Any]:
    """Content of a checkpoint with some entries changed.

    Args:
        content: Of the source; stays as it is.
        changes: Entries of the model's state, by full names.
        class_counts: Training images per class, shape ``(K,)``, for metrics that group the classes.
        record: How it came about, for ``meta['rebalance']``.
    """
    state = dict(content.get('state_dict', content))
    state |= {name: value.cpu().clone() for name, value in changes.items()}
    meta = {key: value for key, value in (content.get('meta') or {}).items() if key not in _OF_TRAINING}
    return dict(meta=meta | dict(rebalance=record), state_dict=state, class_counts=class_counts.tolist())
