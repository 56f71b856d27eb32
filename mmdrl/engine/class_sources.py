"""Class counts of whatever holds a data set: a config, a list, arrays, or annotations in JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from numpy.typing import NDArray

from mmdrl.datasets.label_files import read_labels
from mmdrl.datasets.labels import dataset_labels
from mmdrl.datasets.wrappers import metainfo_of
from mmdrl.engine.config import load_config
from mmdrl.engine.shot_settings import shot_settings
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import DATASETS
from mmdrl.shipped import is_config


def source_counts(
    sources: Sequence[str], split: Literal['train', 'val', 'test'] = 'train'
) -> dict[str, NDArray[np.int64]]:
    """Images per class of each source, shape ``(K,)``, by its name.

    Args:
        sources: Files: a ``.py`` is a config, as is what :func:`mmdrl.shipped.find_config` knows by name; the rest is
            what :func:`mmdrl.datasets.label_files.read_labels` reads.
        split: Data set of a config. An image that it shows twice in an epoch counts twice.

    Returns:
        Counts under the file's name; under the path as given, where two files have the same name.

    Raises:
        ConfigError: If a config cannot be read or has no such data set.
        DataError: If there is no such file, or it tells no labels.
    """
    names = [Path(source).name for source in sources]
    counts = {}
    for source, name in zip(sources, names, strict=True):
        key = name if names.count(name) == 1 else str(source)
        if is_config(source):
            counts[f'{key} {split}'] = _config_counts(source, split)
        else:
            counts[key] = np.bincount(read_labels(source))
    return counts


def source_groups(sources: Sequence[str]) -> dict[str, Any]:
    """How the configs among the sources group the classes: ``many``, ``few`` and ``edges`` of their ``ShotAccuracy``.

    Where there is no config, or they differ, those that ``ShotAccuracy`` has by default.

    Raises:
        ConfigError: If a config cannot be read.
    """
    found = [shot_settings(load_config(source))[0] for source in sources if is_config(source)]
    default, _ = shot_settings(Config())
    return found[0] if found and all(groups == found[0] for groups in found) else default


def _config_counts(path: str, split: Literal['train', 'val', 'test']) -> NDArray[np.int64]:
    cfg = load_config(path)
    loader = cfg.get(f'{split}_dataloader')
    if not isinstance(loader, dict) or 'dataset' not in loader:
        raise ConfigError(f'{path} has no {split}_dataloader with a dataset.')
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    try:
        dataset = DATASETS.build(loader['dataset'])
        labels = dataset_labels(dataset)
    except FileNotFoundError as error:
        raise DataError(
            f'{error.filename} is missing. Do data_root and ann_file of {path} lead to the data?'
        ) from error
    except (KeyError, TypeError) as error:  # how the registry answers to a name or an argument that does not exist
        reason = str(error.args[0]).partition('. ')[0]
        raise ConfigError(f'The data set of {split}_dataloader in {path} cannot be built: {reason}.') from error
    classes = metainfo_of(dataset).get('classes') or ()
    return np.bincount(labels, minlength=len(classes))
