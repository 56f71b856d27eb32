"""Checks of a config that need no model: before anything is built or written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmdrl.errors import DataError

LISTED = ('CustomDataset', 'ImageNet')  # data sets that read `path label` lists


def check_data_paths(cfg: Config, loaders: tuple[str, ...]) -> None:
    """Every local data folder, file and list that the loaders name must exist, and lists must be well formed.

    A folder without a named file in it is left to the data set: some download what is missing.

    Raises:
        DataError: If not; the message names the option that changes the path, or the line of the list.
    """
    for loader in loaders:
        if cfg.get(loader) is None:
            continue
        for option, dataset in _datasets(cfg[loader].get('dataset', {}), f'{loader}.dataset'):
            root = str(dataset.get('data_root') or '')
            for key in ('ann_file', 'data_file'):
                name = str(dataset.get(key) or '')
                if not name or '://' in root + name:
                    continue
                if root and not Path(root).expanduser().is_dir():
                    raise DataError(
                        f'Expected the data set in the folder {root}, found none. Put it there, or set '
                        f'{option}.data_root with --cfg-options.'
                    )
                path = Path(root).expanduser() / name
                if not path.is_file():
                    raise DataError(f'Expected a file at {path}, found none. Put it there, or set {option}.{key}.')
                if key == 'ann_file' and str(dataset.get('type')).rpartition('.')[2] in LISTED:
                    _check_list(path, dataset)


def _check_list(path: Path, dataset: dict[str, Any]) -> None:
    """Rows ``path label``, as ``CustomDataset`` reads them; the first image must be there."""
    has_labels = dataset.get('with_label', True)
    first = None
    with path.open(encoding='utf-8', errors='replace') as lines:
        for number, line in enumerate(lines, start=1):
            image, _, label = line.strip().rpartition(' ') if has_labels else (line.strip(), '', '0')
            if not image or not label.isdigit():
                raise DataError(
                    f'{path}, line {number}: expected "path label" with the label a number from 0, '
                    f'got {line.strip()[:80]!r}.'
                )
            first = first or image
    if first is None:
        raise DataError(f'Expected "path label" lines in {path}, found none.')
    prefix = dataset.get('data_prefix') or ''
    prefix = (prefix.get('img_path') or '') if isinstance(prefix, dict) else prefix
    if dataset.get('split') or '://' in prefix:
        return  # MMPretrain derives the folder from the split
    image_path = Path(str(dataset.get('data_root') or '')).expanduser() / prefix / first
    if not image_path.is_file():
        raise DataError(f'{path} names {first}, but there is no file {image_path}. Do data_root and data_prefix fit?')


def _datasets(config: dict[str, Any], option: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A data set config and those wrapped inside it, with the option that reaches each."""
    yield option, config
    if isinstance(config.get('dataset'), dict):
        yield from _datasets(config['dataset'], f'{option}.dataset')
    for index, part in enumerate(config.get('datasets') or []):
        yield from _datasets(part, f'{option}.datasets.{index}')
