"""One answer of a server, written behind what an earlier one has left.

``NAME.part`` grows; ``NAME.part.json`` holds the version of the file as the server named it, so that the bytes of
two versions never follow each other unnoticed.
"""

import http.client
import json
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from mmdrl.datasets.preparation.files import CHUNK, Progress
from mmdrl.errors import DataError

TIMEOUT = 30.0  # seconds without an answer
RESERVE = 64 << 20  # bytes that a download leaves free on the disk


class Interrupted(Exception):
    """The answer ended early, or is of no use: worth another try."""


def transfer(url: str, target: Path, part: BinaryIO, progress: Progress) -> bool:
    """Append what the part lacks; True if it went on with bytes of an earlier answer.

    Args:
        url: Address of the file.
        target: Name that the file will take; ``part`` lies beside it.
        part: Open to append. Emptied if the server has another version, or gives no ranges.
        progress: Told of every block.

    Raises:
        Interrupted: If the line broke, or what came does not follow what was there.
        urllib.error.HTTPError: If the server refuses.
        DataError: If the disk has no room for the rest.
    """
    have = size(part)
    version = _read_version(target)
    headers = {'User-Agent': 'mmdrl', 'Accept-Encoding': 'identity'}
    if have:
        headers['Range'] = f'bytes={have}-'
        if version:
            headers['If-Range'] = version  # the server sends the whole file if it has another version by now
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        if error.headers.get('Content-Range') == f'bytes */{have}':
            return True  # nothing is missing
        part.truncate(0)
        raise Interrupted('what was fetched before does not fit the file of the server') from error
    # ValueError: redirected to what is no address.
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Interrupted(str(getattr(error, 'reason', error)) or type(error).__name__) from error
    with answer:
        if have and answer.status != 206:
            part.truncate(0)
            have = 0
        elif have and not _follows(answer, have, version):
            part.truncate(0)
            raise Interrupted('the server has another version of the file than before')
        whole = _whole_size(answer)
        _check_room(target, have, whole)
        _write_version(target, answer.headers)
        _write_blocks(answer, part, have, whole, lambda there: progress(target.name, there, whole))
    return have > 0


def forget_version(target: Path) -> None:
    """Take away what was kept beside the part."""
    _version_file(target).unlink(missing_ok=True)


def size(part: BinaryIO) -> int:
    """Bytes on the disk."""
    return os.fstat(part.fileno()).st_size


def _write_blocks(answer: Any, part: BinaryIO, there: int, whole: int | None, progress: Callable[[int], None]) -> None:
    progress(there)
    try:
        while True:
            try:
                block = answer.read1(CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise Interrupted(str(error) or type(error).__name__) from error
            if not block:
                break
            part.write(block)
            there += len(block)
            progress(there)
    finally:
        part.flush()
    if whole is not None and there < whole:
        raise Interrupted(f'the connection ended after {there:,} of {whole:,} bytes')


def _whole_size(answer: Any) -> int | None:
    """Bytes of the whole file, by the headers of the answer."""
    if answer.status == 206:
        match = re.fullmatch(r'bytes \d+-\d+/(\d+)', answer.headers.get('Content-Range', ''))
        return int(match[1]) if match else None
    return answer.length


def _follows(answer: Any, have: int, version: str) -> bool:
    """Whether a partial answer begins where the part ends, in the same version of the file."""
    begins = answer.headers.get('Content-Range', '').startswith(f'bytes {have}-')
    named = [answer.headers.get(key) for key in ('ETag', 'Last-Modified')]
    return begins and (not version or not any(named) or version in named)


def _check_room(target: Path, have: int, whole: int | None) -> None:
    free = shutil.disk_usage(target.parent).free
    if whole is not None and whole - have + RESERVE > free:
        raise DataError(
            f'{target.name} needs {(whole - have) / 1e9:.2f} GB more on the disk of {target.parent.resolve()}, '
            f'where {free / 1e9:.2f} GB are free. Make room, or choose another folder.'
        )


def _version_file(target: Path) -> Path:
    return target.with_name(f'{target.name}.part.json')


def _read_version(target: Path) -> str:
    """What the server called its version of the file when the part was begun; empty if it gave no name."""
    try:
        return str(json.loads(_version_file(target).read_text())['version'])
    except (OSError, ValueError, KeyError, TypeError):
        return ''


def _write_version(target: Path, headers: Any) -> None:
    version = headers.get('ETag') or ''
    if not version or version.startswith('W/'):  # a weak one cannot vouch for bytes
        version = headers.get('Last-Modified') or ''
    _version_file(target).write_text(json.dumps({'version': version}))
