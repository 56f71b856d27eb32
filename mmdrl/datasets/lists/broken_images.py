"""Broken image files: found, named, counted, and an end put to it when there are too many.

cv2 4 decodes a truncated JPEG without an error and paints the missing part grey; cv2 5 and Pillow refuse it. So the
last bytes of a JPEG or PNG are looked at before it is decoded. Only a file whose end looks wrong is decoded by Pillow,
which tells a truncated file from one with bytes behind its end. Damage in the middle that still decodes is not
noticed, nor is a missing end of other formats.
"""

import errno
import os
import stat
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.logging import MMLogger
from PIL import Image, UnidentifiedImageError

from mmdrl.errors import DataError

ENDS = {b'\xff\xd8': b'\xff\xd9', b'\x89P': b'IEND\xaeB`\x82'}  # by the first two bytes: JPEG and PNG
NO_FAULT_OF_THE_FILE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR)
UNSEEN, SOUND, BROKEN = 0, 1, 2


class BrokenImages:
    """Which images of a data set are broken, known to a process and its loader workers together.

    One byte per image lies in memory that forked and spawned workers share. Each byte is written without a lock:
    whoever finds an image broken writes the same.

    Args:
        num_images: N.
        limit: How many may be broken; 0.1 %, at least 10, if not given.
    """

    def __init__(self, num_images: int, limit: int | None = None):
        self.limit = max(10, num_images // 1000) if limit is None else limit
        self._states = torch.zeros(num_images, dtype=torch.uint8).share_memory_()

    def __deepcopy__(self, memo: dict) -> 'BrokenImages':
        return self  # a subset of a data set notes its images in the same place

    def is_broken(self, row: int) -> bool:
        """Whether this image has been noted."""
        return bool(self._states[row] == BROKEN)

    def rows(self) -> list[int]:
        """Images noted so far."""
        return (self._states == BROKEN).nonzero().flatten().tolist()

    def truncation(self, row: int, path: str) -> str | None:
        """What is wrong with the end of the file, None if nothing; a file that passes is not decoded here again."""
        if not has_suspicious_end(path) or self._states[row] == SOUND:
            return None
        reason = decoding_fault(path)
        if reason is None:
            self._states[row] = SOUND
        return reason

    def note(self, row: int, path: str, reason: str) -> None:
        """Count an image and warn of it, once.

        Raises:
            DataError: If more are broken than the limit allows.
        """
        if self.is_broken(row):
            return
        self._states[row] = BROKEN
        count = len(self.rows())
        if count > self.limit:
            raise DataError(
                f'{path} {reason}; it is broken image {count} of {len(self._states)}, and at most {self.limit} may be. '
                'The log names the others. Mend the files, or raise max_broken of the data set.'
            )
        MMLogger.get_current_instance().warning(
            f'Broken image {count} (training stops after {self.limit}): {path} {reason}. Another image of its class '
            'takes its place.'
        )


def fault_behind(error: Exception, path: str) -> str | None:
    """What is wrong with the file if that explains why its sample could not be made; None if it does not."""
    if '://' not in path:
        reason = decoding_fault(path)
        if reason is not None:
            return reason
    elif isinstance(error, FileNotFoundError):
        return 'does not exist'
    is_loaders = isinstance(error, UnidentifiedImageError) or 'failed to load image' in str(error)
    return 'cannot be decoded by LoadImageFromFile' if is_loaders else None


def decoding_fault(path: str) -> str | None:
    """Why Pillow cannot decode the whole file, as the end of a sentence that begins with its path; None if it can.

    Raises:
        OSError: If the machine is at fault, such as by too many open files.
    """
    if is_endless(path):
        return 'is no file'
    try:
        with Image.open(path) as image:
            image.load()
    except MemoryError:
        raise
    except FileNotFoundError:
        return 'does not exist'
    except UnidentifiedImageError:
        return 'is no image' if os.path.getsize(path) else 'is empty'
    except Exception as error:  # Pillow's readers raise whatever the bytes led them to
        if isinstance(error, OSError) and error.errno in NO_FAULT_OF_THE_FILE:
            raise
        return f'cannot be decoded ({error})'
    return None


def broken_paths(dataset: Any) -> list[str]:
    """Paths of all broken images that a data set, or those it wraps, have noted, sorted."""
    found = set(dataset.broken_paths()) if hasattr(dataset, 'broken_paths') else set()
    inner = [getattr(dataset, name, None) for name in ('dataset', '_dataset')] + list(getattr(dataset, 'datasets', ()))
    for part in inner:
        if part is not None:
            found.update(broken_paths(part))
    return sorted(found)


def log_broken(paths: Sequence[str]) -> None:
    """Name all of them in the log, where the warnings of spawned workers do not arrive; nothing if there are none."""
    if paths:
        images = 'image was' if len(paths) == 1 else 'images were'
        MMLogger.get_current_instance().warning(f'{len(paths)} broken training {images} left out:\n' + '\n'.join(paths))


def has_suspicious_end(path: str) -> bool:
    """Whether a JPEG or PNG does not end as it should; False for what cannot be read, which the loader will say."""
    if is_endless(path):
        return True
    try:
        with open(path, 'rb', buffering=0) as file:
            end = ENDS.get(file.read(2))
            if end is None:
                return False
            file.seek(-len(end), os.SEEK_END)
            return file.read(len(end)) != end
    except (OSError, ValueError):
        return False


def is_endless(path: str) -> bool:
    """Whether it is neither file nor folder but a pipe or the like, from which one would read for ever."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
