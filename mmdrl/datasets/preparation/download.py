"""Fetching a large file over an unreliable line.

What has arrived is kept in ``NAME.part`` and gone on with, by the next attempt or the next run. The file takes
its name only when its hash is the published one, so a file that has the name is the right one.
"""

import os
import time
import urllib.error
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlsplit, urlunsplit

from mmdrl.datasets.preparation.files import Progress, RemoteFile, disk_errors, file_digest, is_right, lock, note
from mmdrl.datasets.preparation.transfer import Interrupted, forget_version, size, transfer
from mmdrl.errors import ConfigError, DataError

BUSY = {408, 425, 429, 500, 502, 503, 504}  # states of a server that pass


def download(
    file: RemoteFile,
    folder: str | Path,
    *,
    mirror: str | None = None,
    retries: int = 4,
    wait: float = 1.0,
    progress: Progress | None = None,
) -> Path:
    """Path of the file in ``folder``; fetched unless it is there.

    Args:
        file: What to fetch.
        folder: Where to.
        mirror: Address of a folder that holds the file under its name; None takes the publisher's.
        retries: Attempts after one that brought nothing new; any new byte starts the count afresh.
        wait: Seconds before the first of them, doubled for each of the next.
        progress: Told the name, the bytes that are there and those of the whole file (None if unknown); of a large file
            also how far it is checked.

    Raises:
        ConfigError: If the mirror is no address of http(s).
        DataError: If the file cannot be fetched, does not fit on the disk, or has another hash than published. A file
            that was there is left alone.
    """
    url = file.url if mirror is None else _below(mirror, file.name)
    target = Path(folder) / file.name
    with disk_errors(f'Reading or writing {target}'):
        if _is_there(file, target, progress):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.with_name(f'{target.name}.part').open('ab') as part:
            lock(part, f'writing {target}')
            try:
                if not _is_there(file, target):  # by now, from another run
                    _fetch_whole(file, url, target, part, retries, wait, progress or (lambda *_: None))
            except BaseException:
                if size(part) == 0:
                    Path(part.name).unlink()
                    forget_version(target)
                raise
            os.fsync(part.fileno())
            if _is_there(file, target):
                Path(part.name).unlink()
            else:
                Path(part.name).rename(target)
        forget_version(target)
        note(target, file.digest)
    return target


def _fetch_whole(
    file: RemoteFile, url: str, target: Path, part: BinaryIO, retries: int, wait: float, progress: Progress
) -> None:
    """Fill the part until its hash is right."""
    furthest = size(part)
    failures = 0
    is_patched = False  # of the answers of several requests
    has_restarted = False
    while True:
        try:
            is_patched |= transfer(url, target, part, progress)
        except (Interrupted, urllib.error.HTTPError) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code not in BUSY:
                reason = ' '.join(error.reason.split())  # urllib's own are of several lines
                raise DataError(
                    f'{url} was not given: {error.code} {reason}. Look for {file.name} elsewhere and put it into '
                    f'{target.parent}, or name a server that has it as the mirror.'
                ) from error
            failures = 0 if size(part) > furthest else failures + 1
            furthest = max(furthest, size(part))
            if failures > retries:
                kept = f'{size(part):,} bytes of it are kept in {part.name}; t' if size(part) else 'T'
                raise DataError(f'{url} could not be fetched: {error}. {kept}he same command goes on.') from error
            time.sleep(wait * 2 ** max(failures - 1, 0))
            continue
        if file_digest(Path(part.name), file.algorithm, progress) == file.digest:
            return
        part.truncate(0)
        forget_version(target)
        if has_restarted or not is_patched:
            raise DataError(
                f'{url} gave a file whose {file.algorithm} hash is not the published {file.digest}; it was not kept. '
                f'Get {file.name} elsewhere, put it into {target.parent} and run the same command.'
            )
        has_restarted, is_patched, furthest = True, False, 0  # two versions may have met: once more from the start


def _is_there(file: RemoteFile, target: Path, progress: Progress | None = None) -> bool:
    """Whether the target is the file; raises if something else has its name."""
    if not os.path.lexists(target):
        return False
    if not target.is_file():
        raise DataError(f'{target} is no file, or a link to nothing. It is left as it is; move it away to go on.')
    if is_right(file, target, progress):
        return True
    raise DataError(
        f'{target} is not the published file: its {file.algorithm} hash is not {file.digest}. '
        'It is left as it is; move it away to have it fetched.'
    )


def _below(mirror: str, name: str) -> str:
    """Address of the file at the mirror."""
    try:
        parts = urlsplit(mirror)
        host = (parts.hostname or '').encode('idna')
        is_address = parts.scheme in ('http', 'https') and bool(host) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or '@' in parts.netloc or parts.query or parts.fragment or any(map(str.isspace, mirror)):
        raise ConfigError(f'Expected a mirror like https://host/folder, without user name or ?, got {mirror}.')
    path = quote(f'{parts.path.rstrip("/")}/{name}', safe="/%:@!$&'()*+,;=~")
    return urlunsplit((parts.scheme, parts.netloc, path, '', ''))
