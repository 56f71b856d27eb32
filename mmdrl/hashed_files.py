"""Checkpoints whose names hold their hash: ``NAME_YYYYMMDD-xxxxxxxx.pth``, with the first digits of their SHA-256.

That is how OpenMMLab names what it publishes, and nothing of the host looks at it: half a download in the cache of
torch's hub is loaded again and again. Here such a file is looked at before it is read, wherever it is from; one in the
cache that is wrong is fetched anew. A hash of eight digits finds damage; it is no proof against ill will.
"""

import fcntl
import functools
import hashlib
import os
import pickle
import re
import sys
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from mmengine.runner.checkpoint import CheckpointLoader, load_from_http
from mmengine.runner.checkpoint import load_from_local as load_file

from mmdrl.checkpoint_file import load_data, more_than_data
from mmdrl.data_only import data_only
from mmdrl.errors import DataError
from mmdrl.safe_globals import register_safe_globals

_NAME = re.compile(r'_\d{8}-([0-9a-f]{8})\.pth')
_NEVER_CHECKED = '.openmmlab.com'  # names there are not ours to judge: its own tools do not look at the hash
_CHUNK = 1 << 20  # bytes


def named_hash(name: str) -> str | None:
    """The first digits of the SHA-256 that a file's name promises; ``None`` if it promises none."""
    match = re.search(rf'{_NAME.pattern}$', name)
    return match[1] if match else None


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def check_hash(path: Path) -> None:
    """A file must have the hash that its name promises, if any.

    Raises:
        DataError: If it has another.
    """
    expected = named_hash(path.name)
    if expected is None:
        return
    found = file_hash(path)
    if not found.startswith(expected):
        raise DataError(
            f'Expected {path} to have a SHA-256 that begins with {expected}, as its name says, got {found[:8]}. It is '
            'damaged or has been changed: download it again. If it is what you want, give it another name.'
        )


def fetch(url: str) -> Path:
    """Path of a checkpoint in the cache of torch's hub; downloaded unless it is there and has the hash of its name.

    Args:
        url: Address of http(s).

    Raises:
        DataError: If it cannot be fetched, or has another hash than its name promises; such a file is not kept.
    """
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    expected = None
    try:
        name = Path(urlsplit(url).path).name
        if not name:
            raise DataError(f'Expected the address of a checkpoint, got {url}, which names no file.')
        path, expected = folder / name, _promised(url)
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder):
            if path.is_file() and (expected is None or file_hash(path).startswith(expected)):
                return path
            torch.hub.download_url_to_file(url, str(path), expected, progress=sys.stderr.isatty())
    except urllib.error.HTTPError as error:
        raise DataError(f'{url} was not given: {error.code} {" ".join(error.reason.split())}.') from error
    except RuntimeError as error:  # how torch's hub says it
        raise DataError(
            f'{url} gave a file whose SHA-256 does not begin with {expected}, as its name says; it was not kept. Was '
            'the line cut? The same command tries again. If it is what you want, fetch it yourself under another name.'
        ) from error
    except (OSError, HTTPException, ValueError) as error:  # of urllib; a ValueError if it is no address at all
        raise DataError(f'Fetching {url} into {folder} failed: {_reason(error)}.') from error
    return path


def register_loaders() -> None:
    """Have MMEngine take data alone from what it loads, and look at its hash; calling it again changes nothing."""
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        if not hasattr(loader, 'takes_data_only'):
            CheckpointLoader.register_scheme(prefix, _data_only(loader), force=True)
    CheckpointLoader.register_scheme(('http://', 'https://'), load_from_address, force=True)
    CheckpointLoader.register_scheme('', load_from_local, force=True)


def _data_only(loader: Callable[..., Any]) -> Callable[..., Any]:
    """A loader of the host, which torch keeps from running what it loads."""

    @functools.wraps(loader)  # MMEngine logs the name
    def load(filename: str, *arguments: Any, **settings: Any) -> Any:
        register_safe_globals()
        try:
            with data_only():
                return loader(filename, *arguments, **settings)
        except (pickle.UnpicklingError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and 'weights_only=True' not in str(error):
                raise
            raise more_than_data(filename, error) from error
        finally:
            register_safe_globals()  # onedl-mmengine takes back what it finds declared

    load.takes_data_only = True  # type: ignore[attr-defined]
    return load


def load_from_address(filename: str, map_location: Any = None, **settings: Any) -> Any:
    """MMEngine's loader of addresses, after a look at the hash if the name holds one; data alone."""
    if _promised(filename) is None:
        return _data_only(load_from_http)(filename, map_location, **settings)
    return load_data(fetch(filename), map_location)


def load_from_local(filename: str, map_location: Any = None) -> Any:
    """MMEngine's loader of files, after a look at the hash if the name holds one; data alone."""
    path = Path(os.path.expanduser(filename))
    if not path.is_file():
        return load_file(filename, map_location)  # which says so
    check_hash(path)
    return load_data(path, map_location)


load_from_address.takes_data_only = load_from_local.takes_data_only = True  # type: ignore[attr-defined]


def _promised(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:  # no address
        return None
    return None if (parts.hostname or '').endswith(_NEVER_CHECKED) else named_hash(parts.path)


def _reason(error: Exception) -> str:
    """In one line; ``reason`` is that of urllib, or the last words of a UnicodeError."""
    return ' '.join(str(getattr(error, 'reason', error)).split())


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process at a time in a folder; the others find what the first has put there."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
