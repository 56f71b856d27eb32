"""Checks of a config that need no model: before anything is built or written."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmdrl.datasets.lists.image_lists import ImageListDataset
from mmdrl.datasets.lists.path_checks import check_inside
from mmdrl.datasets.lists.path_lists import parse_path_list, read_bytes
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import DATASETS

LISTED = ('CustomDataset', 'ImageNet')  # data sets of MMPretrain that read `path label` lists, or folders of images


def check_data_paths(cfg: Mapping[str, Any], loaders: tuple[str, ...]) -> None:
    """Every local data folder, file and list that the loaders name must exist, and lists must be well formed.

    Of ``mmdrl``'s own data sets over lists the list is read, and a few of the images are looked for. Those of
    MMPretrain over lists or folders need the folder of their images. A folder of any other data set, without a named
    file in it, is left to the data set: some download what is missing.

    Raises:
        ConfigError: If one of these has an argument that it does not take, or keeps its images on a device for workers.
        DataError: If not; the message names the option that changes the path, or the line of the list.
    """
    for loader in loaders:
        if cfg.get(loader) is None:
            continue
        for option, dataset in wrapped_datasets(cfg[loader].get('dataset', {}), f'{loader}.dataset'):
            _check_images_on(dataset, option, loader, cfg[loader])
            _check_dataset(dataset, option)


def _check_images_on(config: dict[str, Any], option: str, loader: str, settings: Mapping[str, Any]) -> None:
    """Images on a device are taken by the process that has them there, and are nothing to pin."""
    if config.get('images_on') is not None and (settings.get('num_workers') or settings.get('pin_memory')):
        raise ConfigError(
            f'{option}.images_on={config["images_on"]!r} takes batches in the training process, which {loader} leaves '
            f'to workers or pins in memory. Set {loader}.num_workers=0, {loader}.persistent_workers=False and '
            f'{loader}.pin_memory=False, or leave images_on out.'
        )


def _check_dataset(config: dict[str, Any], option: str) -> None:
    """Folder, files and, if it reads a list, list and images of one data set."""
    root = str(config.get('data_root') or '')
    own = _list_dataset(config, option)
    files = {key: str(config.get(key) or '') for key in ('ann_file', 'data_file')}
    is_listed = str(config.get('type')).rpartition('.')[2] in LISTED
    if own is not None:
        root, files = own.data_root, dict(ann_file=own.ann_file)
    for key, name in files.items():
        if not name or '://' in root + name:
            continue
        folder = Path(root).expanduser()
        if root and not os.path.isdir(folder):
            raise DataError(
                f'Expected the data set in the folder {root}, found none. Put it there, or set '
                f'{option}.data_root with --cfg-options.'
            )
        path = Path(name) if own is not None else folder / name
        if not os.path.isfile(path):
            raise DataError(f'Expected a file at {path}, found none. Put it there, or set {option}.{key}.')
        if is_listed and config.get('with_label', True):
            _check_list(path, config)
    if is_listed:
        _check_folder(config, option)
    if own is not None:
        own.full_init()
        own.check_folder()


def _list_dataset(config: dict[str, Any], option: str) -> ImageListDataset | None:
    """Our data set over a list as the config has it, not read yet; None for any other."""
    kind = config.get('type')
    kind = DATASETS.get(kind) if isinstance(kind, str) else kind
    if not (isinstance(kind, type) and issubclass(kind, ImageListDataset)):
        return None
    settings = {key: value for key, value in config.items() if key not in ('type', '_scope_', 'pipeline')}
    try:
        return kind(**dict(settings, lazy_init=True))
    except TypeError as error:
        raise ConfigError(f'{option} does not fit {kind.__name__}: {error}.') from error


def _check_list(path: Path, dataset: dict[str, Any]) -> None:
    """A list that MMPretrain reads must be well formed, and the first image must be there."""
    paths, _ = parse_path_list(read_bytes(path), str(path))
    folder = _image_folder(dataset)
    if folder != Path():  # without a folder, the paths are the owner's own
        check_inside(paths, str(path))
    if dataset.get('split') or folder is None:
        return  # MMPretrain derives the folder from the split
    if not os.path.isfile(folder / paths[0]):
        raise DataError(
            f'{path} names {paths[0]}, but there is no file {folder / paths[0]}. Do data_root and data_prefix fit?'
        )


def _check_folder(dataset: dict[str, Any], option: str) -> None:
    """The folder that holds the images of a data set of MMPretrain must be there."""
    folder = _image_folder(dataset)
    if folder is not None and not os.path.isdir(folder):
        raise DataError(
            f'Expected the images in the folder {folder}, found none. Put them there, or set {option}.data_root with '
            '--cfg-options.'
        )


def _image_folder(dataset: dict[str, Any]) -> Path | None:
    """Where MMPretrain looks for the images; None for a place that is not on a disk."""
    prefix = dataset.get('data_prefix') or dataset.get('split') or ''
    prefix = (prefix.get('img_path') or '') if isinstance(prefix, dict) else prefix
    root = str(dataset.get('data_root') or '')
    return None if '://' in root + prefix else Path(root).expanduser() / prefix


def wrapped_datasets(config: dict[str, Any], option: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A data set config and those wrapped inside it, with the option that reaches each."""
    yield option, config
    if isinstance(config.get('dataset'), dict):
        yield from wrapped_datasets(config['dataset'], f'{option}.dataset')
    for index, part in enumerate(config.get('datasets') or []):
        yield from wrapped_datasets(part, f'{option}.datasets.{index}')
