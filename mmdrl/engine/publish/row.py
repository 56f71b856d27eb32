"""The row of a metafile for a published checkpoint: the one that the config has, with results and address."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.fileio import dump, load

from mmdrl.shipped import shipped_configs, shipped_folder

TASK = 'Image Classification'  # as MMPretrain's list_models and inference_model know it
_NAMES = {'all': 'Top 1 Accuracy', 'many': 'Many', 'medium': 'Medium', 'few': 'Few'}


def metafile_row(
    config: str | None,
    name: str,
    metrics: Mapping[str, float | None] | None,
    address: str | None,
    metadata: dict[str, Any],
) -> dict[str, Any]:
    """The row as plain values.

    Args:
        config: Name of the run's config, without ``.py``; ``None`` if it is not the one of mmdrl of that name.
        name: Of the published files, without ending, for a config that mmdrl has not.
        metrics: Measured on the test set; ``None``: not measured there.
        address: Of the checkpoint; ``None``: it has none yet.
        metadata: For such a config.
    """
    known = (config and known_row(config)) or dict(Name=name, Config=f'{name}.py', Metadata=metadata)
    row: dict[str, Any] = {key: known[key] for key in ('Name', 'In Collection', 'Config') if key in known}
    if address is not None:
        row['Weights'] = address
    row['Metadata'] = known['Metadata']
    if 'Paper' in known:
        row['Paper'] = known['Paper']
    if metrics:
        names = sorted(metrics, key=_rank)
        named = {metric_name(name): round(value, 2) for name in names if (value := metrics[name]) is not None}
        row['Results'] = [dict(Task=TASK, Dataset=row['Metadata']['Training Data'], Metrics=named)]
    return row


def metric_name(name: str) -> str:
    """``'all'`` and its like in the words of OpenMMLab's metafiles, ``'ncm/few'`` as ``'NCM Few'``."""
    prefix, _, group = name.rpartition('/')
    return f'{prefix.upper()} {_NAMES.get(group, group)}'.strip()


def _rank(name: str) -> tuple[str, bool]:
    """The whole before its groups, and one classifier after the other."""
    prefix, _, group = name.rpartition('/')
    return prefix, group != 'all'


def row_text(row: dict[str, Any]) -> str:
    """A metafile of this row alone."""
    return str(dump(dict(Models=[row]), file_format='yaml', sort_keys=False, allow_unicode=True, width=1000))


def known_row(config: str) -> dict[str, Any] | None:
    """The row that mmdrl has for one of its configs, or for what an alias stands for; ``None`` for any other."""
    folder, path = shipped_folder(), shipped_configs().get(config)
    if folder is None or path is None:
        return None
    if path.parent == folder / 'configs':  # an alias: nothing but the config it inherits
        base = re.search(r'_base_\s*=\s*\[?\s*[\'"]([^\'"]+)', path.read_text())
        path = (path.parent / base[1]).resolve() if base else path
    metafile = path.parent / 'metafile.yml'
    if not metafile.is_file():
        return None
    rows: list[dict[str, Any]] = (load(metafile) or {}).get('Models') or []
    return next((row for row in rows if Path(row.get('Config', '')).name == path.name), None)
