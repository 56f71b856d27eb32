"""The content of a file that torch has saved, as data alone: nothing in it is run, nothing in it is packed."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from mmdrl.errors import DataError
from mmdrl.safe_globals import register_safe_globals

_PROGRAMS = {
    'TorchScript archive': 'it is an archive of TorchScript, a program',
    'legacy .tar format': 'it is of the tar format before torch 0.1.10, which cannot be read so',
}
_ROOM = 2  # times the size of the file; torch packs tensors not at all, text of programs in some versions


def load_data(path: Path, map_location: Any = 'cpu', again: str = 'Copy or download it again.') -> Any:
    """Content of a checkpoint.

    Args:
        path: An existing file.
        map_location: As for :func:`torch.load`.
        again: What to do if it is damaged, a sentence.

    Raises:
        DataError: If the file is no whole checkpoint, or holds more than data.
    """
    _check_archive(path, again)
    register_safe_globals()  # onedl-mmengine takes back what it finds declared, each time it loads a file itself
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise more_than_data(path, error) from error
    except Exception as error:  # bytes that are no pickle can fail in any way
        if 'weights_only=True' in str(error):  # archives of programs, and of the days before zip
            raise more_than_data(path, error) from error
        reason = ' '.join(str(error).split())[:300]
        raise DataError(f'{path} is no whole checkpoint ({type(error).__name__}: {reason}). {again}') from error


def more_than_data(name: object, error: Exception) -> DataError:
    """The error that says what a checkpoint asks for beside data, from torch's own words."""
    text = str(error).partition('\n\nCheck the documentation')[0]
    reason = next((words for mark, words in _PROGRAMS.items() if mark in text), None)
    if reason is None:  # torch's last line, without its advice to trust the file
        reason = (text.strip() or type(error).__name__).splitlines()[-1]
        reason = reason.rpartition('WeightsUnpickler error: ')[2].split(' Please use ')[0].rstrip('. ')
    return DataError(
        f'{name} cannot be loaded as data alone, which is all that is trusted: {reason}. Nothing of it was run.'
    )


def _check_archive(path: Path, again: str) -> None:
    """Torch packs no tensors, so that an archive must not unpack to much more than its size; checksums must fit.

    Torch writes them and does not look at them: a flipped bit would change a weight, and nobody would notice.

    Raises:
        DataError: If it does.
    """
    if not zipfile.is_zipfile(path):
        return  # what torch wrote before 1.6, or no checkpoint at all
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return  # torch will say so
    unpacked, size = sum(member.file_size for member in members), path.stat().st_size
    if unpacked > _ROOM * size:
        raise DataError(
            f'{path} has {size:,} bytes and would unpack to {unpacked:,}. No checkpoint of torch is packed: it was not '
            'loaded.'
        )
    damaged = _damaged_member(path) if any(member.CRC for member in members) else None  # torch can leave them out
    if damaged is not None:
        raise DataError(f'{path} is damaged: the checksum of its part {damaged} does not fit. {again}')


def _damaged_member(path: Path) -> str | None:
    """The first part of an archive that is not what was saved."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            try:
                with archive.open(member) as content:
                    while content.read(1 << 20):
                        pass
            except Exception:  # of a damaged header, any
                return member
    return None
