"""Getting the published data sets: fetch, check, unpack, build; nothing that is there is ever overwritten."""

from functools import partial
from pathlib import Path

from mmdrl.datasets.arguments import check_whole
from mmdrl.errors import ConfigError

from .cifar import prepare_cifar
from .download import download
from .files import Progress, disk_errors, new_file
from .large_sets import LARGE_SETS, prepare_large_set
from .result import Fetch, Prepared

__all__ = ['NAMES', 'Prepared', 'Progress', 'disk_errors', 'new_file', 'prepare']

NAMES = ('cifar10', 'cifar100', *LARGE_SETS)


def prepare(
    name: str,
    root: str | Path,
    *,
    mirror: str | None = None,
    images: bool = False,
    retries: int = 4,
    progress: Progress | None = None,
) -> Prepared:
    """Have a data set in the folder ``root``, with what is there already.

    Args:
        name: One of ``NAMES``.
        root: Folder, made if need be.
        mirror: Address of a folder with all files under their names, instead of their publishers.
        images: Fetch archives of images, too, where that is allowed.
        retries: Attempts after one that brought nothing.
        progress: Told of each block of each file that is fetched; of large ones also while they are checked and
            unpacked.

    Raises:
        ConfigError: If the mirror is no http(s) address, the root the home of nobody, or retries below 0.
        DataError: If CIFAR cannot be prepared. What is wrong with the large sets is in ``Prepared.problems``.
    """
    check_whole('retries', retries, 0)
    try:
        root = Path(root).expanduser()
    except RuntimeError as error:
        raise ConfigError(f'Expected a folder as root, got {root}: there is no such user.') from error
    with disk_errors(f'Making the folder {root}'):
        root.mkdir(parents=True, exist_ok=True)
    fetch: Fetch = partial(download, folder=root, mirror=mirror, retries=retries, progress=progress)
    if name in LARGE_SETS:
        return prepare_large_set(name, root, fetch, images, progress)
    return prepare_cifar(10 if name == 'cifar10' else 100, root, fetch)
