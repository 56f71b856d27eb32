"""Sentences in place of the errors that a name or an argument in a config, or data that are not there, have led to."""

import errno
import re
from pathlib import Path

from mmdrl import registry
from mmdrl.datasets.preparation import disk_errors
from mmdrl.errors import ConfigError, DataError

from .unbuilt import tell_unbuilt

# How the registry and Python word a name or an argument of a class that does not exist.
_CONFIG_MISTAKE = re.compile(
    r'is not in the .* registry|__init__\(\) (got an unexpected keyword argument|missing .* required)'
    r'|clip_grad_\w+_\(\) got an unexpected keyword'
    r'|should be either all None or not None|Input dimension should be at least'
    r'|to have \d+ channels, but got|shapes cannot be multiplied'
)
# Only writing ends so.
_DISK_MISTAKES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
# How MMPretrain words a folder of images without images.
_DATA_MISTAKE = re.compile(r'Found 0 files in subfolders of|The number of subfolders \(')


def tell_config_mistake(error: Exception) -> None:
    """Raise a sentence if the error is one of these.

    Raises:
        ConfigError: The sentence.
    """
    message = str(error.args[0]) if error.args else ''
    if _CONFIG_MISTAKE.search(message):
        hint = ''
        if 'either all None' in message:
            absent = ', '.join(re.findall(r'\b(\w+)=None', message))
            message, hint = message.partition(', but got')[0], f', got no {absent}. Give it, or set all three to None.'
        named = re.match(r'[\'"]?(\w+)[\'"]? is not in the', message)
        nodes = [node for node in vars(registry).values() if isinstance(node, registry.ScopedRegistry)]
        if named and any(named[1] in node.module_dict for node in nodes):
            hint = f' Did you mean mmdrl.{named[1]}?'
        elif 'unexpected keyword' in message:
            hint = ' (A dict that changes an inherited one keeps its keys, unless it has _delete_=True.)'
        elif 'Input dimension' in message:  # torch's pooling, in a neck
            hint = ' (Does the backbone pool by itself, as ConvNeXt and ViT do? Then model.neck=None.)'
        elif 'channels' in message or 'multiplied' in message:  # torch's layers
            hint = '. (Do in_channels of backbone, neck and head fit the images and each other?)'
        raise ConfigError(f'The config does not fit: {message}{hint}') from error
    tell_unbuilt(error)


def tell_data_mistake(error: Exception) -> None:
    """Raise a sentence if the error is that of a file, folder or images that are not there.

    Raises:
        DataError: The sentence.
    """
    message = str(error).strip().rpartition('\n')[2]  # of a loader worker: the end of its traceback
    if isinstance(error, FileNotFoundError):
        what = f'{error.filename} is missing' if error.filename else f'A file is missing: {message.rstrip(".")}'
        hint = 'Does the config name the right place (data_root, data_prefix, ann_file, load_from, init_cfg)?'
        raise DataError(f'{what}. {hint}') from error
    if _DATA_MISTAKE.match(str(error)):
        raise DataError(f'The data set does not fit: {message}') from error


def tell_disk_mistake(error: OSError, folder: str | Path) -> None:
    """Raise a sentence if the error is that of a disk that takes no more.

    Args:
        error: Met anywhere while a run was at work.
        folder: Its work folder.

    Raises:
        DataError: The sentence.
    """
    if error.errno in _DISK_MISTAKES:
        what = error.filename or f'a file of the run {folder}'
        with disk_errors(f'Writing {what}', Path(folder)):
            raise error
