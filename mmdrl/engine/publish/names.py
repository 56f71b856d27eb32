"""How published files are named, and where they will lie."""

import re
import time
from urllib.parse import urlsplit

from mmdrl.errors import ConfigError

from .run_folder import FinishedRun


def day_of(run: FinishedRun) -> str:
    """Day of the checkpoint as ``YYYYMMDD``, UTC: as MMEngine has noted it, in local time, else that of the file."""
    noted = (run.content.get('meta') or {}).get('time')
    try:
        seconds = time.mktime(time.strptime(str(noted), '%Y%m%d_%H%M%S'))
    except (ValueError, OverflowError):
        seconds = run.checkpoint.stat().st_mtime
    return time.strftime('%Y%m%d', time.gmtime(seconds))


def checked_day(date: str) -> str:
    """The day, if it is one.

    Raises:
        ConfigError: If not.
    """
    try:
        if re.fullmatch(r'\d{8}', date):
            time.strptime(date, '%Y%m%d')
            return date
    except ValueError:
        pass
    raise ConfigError(f'Expected --date as YYYYMMDD, got {date!r}.')


def checked_name(name: str) -> str:
    """The name, if it can begin that of a file and of an address.

    Raises:
        ConfigError: If not.
    """
    if not re.fullmatch(r'[A-Za-z0-9][A-Za-z0-9._+-]*', name):
        raise ConfigError(f'Expected a --name of letters, digits and . _ + -, got {name!r}.')
    return name


def checked_address(prefix: str) -> str:
    """The address of a folder, without a slash at its end.

    Raises:
        ConfigError: If it is none of http(s).
    """
    try:
        parts = urlsplit(prefix)
        is_address = parts.scheme in ('http', 'https') and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or '@' in parts.netloc or parts.query or parts.fragment or any(map(str.isspace, prefix)):
        raise ConfigError(f'Expected --url-prefix like https://host/folder, without user name or ?, got {prefix!r}.')
    return prefix.rstrip('/')
