"""Images of a file as one array in the memory of the machine, not of a process.

The pages of a mapped file belong to the operating system: all processes read the same ones, and what is not
read costs nothing. Pickled, the images are the name of their file and a place in it, so a worker process that
is spawned maps the file again.
"""

import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmdrl.errors import DataError

_LOCAL_HEADER = 30  # bytes of a zip member's own header before its name; then come name, extra field, content


class MappedImages:
    """A read-only uint8 array in a file.

    Replacing the file by another (write elsewhere, then rename) leaves those who have it open with the old images;
    who opens it afterwards is refused by size and time. Never cut or rewrite the file in place while it is in use:
    the operating system then ends the processes that read what is gone (SIGBUS).

    Args:
        path: The file.
        offset: Position of the first pixel in the file, in bytes.
        shape: ``(N, H, W)`` or ``(N, H, W, C)``; without channels it gets one.
        order: Whether the last index runs fastest, ``'C'``, or the first one, ``'F'``.

    Raises:
        DataError: If the file is shorter than that; at the first use after unpickling, if it is not the same any more.
    """

    def __init__(self, path: Path, offset: int, shape: tuple[int, ...], order: Literal['C', 'F'] = 'C'):
        self.path = path.absolute()  # a worker may run in another folder
        self.offset = offset
        self.shape = shape
        self.order = order
        self._seen = _size_and_time(self.path)
        self._pixels: NDArray[np.uint8] | None = self._mapped()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        """One image (H, W, C), read-only."""
        return self._open()[row]

    def gather(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Images at these rows, shape ``(B, H, W, C)``, the caller's own."""
        return np.take(self._open(), rows, axis=0)

    def __deepcopy__(self, memo: dict) -> 'MappedImages':
        return self

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__, _pixels=None)

    def _open(self) -> NDArray[np.uint8]:
        if self._pixels is None:
            self._pixels = self._reopened()
        return self._pixels

    def _reopened(self) -> NDArray[np.uint8]:
        """Mapped again, at the first use: what a worker raises earlier its loader would not hand on."""
        if not self.path.is_file() or _size_and_time(self.path) != self._seen:
            raise DataError(
                f'{self.path} was replaced or removed after this process or the one that started it had opened it. '
                'Start the run again.'
            )
        return self._mapped()

    def _mapped(self) -> NDArray[np.uint8]:
        try:
            pixels = np.memmap(
                self.path, dtype=np.uint8, mode='r', offset=self.offset, shape=self.shape, order=self.order
            )
        except ValueError as error:
            raise DataError(f'{self.path} is truncated: it ends before its images do ({error}).') from error
        return np.asarray(pixels if pixels.ndim == 4 else pixels[..., np.newaxis])


def place_in_zip(path: Path, name: str) -> tuple[np.dtype, tuple[int, ...], Literal['C', 'F'], int] | None:
    """Type, shape, order and position in the file of an array of a ``.npz``; None if it is compressed.

    Reads the array once to compare its checksum.

    Raises:
        ValueError: If the archive says other things about the array than the array itself.
        KeyError: If there is no such array.
        zipfile.BadZipFile: If the file is no sound archive.
    """
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(f'{name}.npy')
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            return None
        with archive.open(member) as content:
            dtype, shape, order = read_header(content)
            header = content.tell()
            while content.read(1 << 20):  # to the end, where zipfile compares the checksum
                pass
    with path.open('rb') as file:
        file.seek(member.header_offset)
        local = file.read(_LOCAL_HEADER)
        skipped = int.from_bytes(local[26:28], 'little') + int.from_bytes(local[28:30], 'little')
        start = member.header_offset + _LOCAL_HEADER + skipped
        file.seek(start)
        if read_header(file) != (dtype, shape, order):
            raise ValueError(f"the array '{name}' is not where the archive says")
    if not dtype.hasobject and header + dtype.itemsize * int(np.prod(shape)) != member.file_size:
        raise ValueError(f"the array '{name}' is truncated: shape {shape} does not fit its {member.file_size} bytes")
    return dtype, shape, order, start + header


def read_header(file: Any) -> tuple[np.dtype, tuple[int, ...], Literal['C', 'F']]:
    """Type, shape and order of the ``.npy`` that begins here; the file stands at its first byte of data afterwards.

    Raises:
        ValueError: If none begins here.
    """
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, is_fortran, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f'an array of .npy version {version}, which plain numbers never need')
    return dtype, shape, 'F' if is_fortran else 'C'


def _size_and_time(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in nanoseconds."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns
