"""Checks of a config that need no model and no data: before anything is built or written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmdrl.errors import DataError


def check_data_paths(cfg: Config, loaders: tuple[str, ...]) -> None:
    """Every local data folder and list that the loaders name must exist.

    Raises:
        DataError: If one does not; the message names the option that changes it.
    """
    for loader in loaders:
        if cfg.get(loader) is None:
            continue
        for option, dataset in _datasets(cfg[loader].get('dataset', {}), f'{loader}.dataset'):
            root = dataset.get('data_root') or ''
            if '://' in root:
                continue
            if root and not Path(root).is_dir():
                raise DataError(
                    f'Expected the data set in the folder {root}, found none. Put it there, or set '
                    f'{option}.data_root with --cfg-options.'
                )
            for key in ('ann_file', 'data_file'):
                name = dataset.get(key) or ''
                path = Path(root) / name
                if name and '://' not in name and not path.is_file():
                    raise DataError(f'Expected a file at {path}, found none. Put it there, or set {option}.{key}.')


def _datasets(config: dict[str, Any], option: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A data set config and those wrapped inside it, with the option that reaches each."""
    yield option, config
    if isinstance(config.get('dataset'), dict):
        yield from _datasets(config['dataset'], f'{option}.dataset')
    for index, part in enumerate(config.get('datasets') or []):
        yield from _datasets(part, f'{option}.datasets.{index}')
