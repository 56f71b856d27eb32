"""What whoever uses a published model should know beside its numbers, in sentences."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import Config

from mmdrl.engine.config import load_config
from mmdrl.engine.environment import cpu_name, device_name, versions
from mmdrl.shipped import shipped_configs

from .check import check_same, differences, tests_on_validation
from .content import published_config
from .run_folder import FinishedRun

_OWN = ('data_root', 'ann_file', 'seed', 'num_workers', 'persistent_workers', 'load_from')  # of a run or a machine
_SHOWN = 3


def notes_of(run: FinishedRun, cfg: Config) -> list[str]:
    """What the run itself tells."""
    notes = []
    limit = (cfg.get('train_cfg') or {}).get('max_epochs')
    if limit is not None and run.results.get('epochs', limit) < limit:
        notes.append(f'Training stopped after {run.results["epochs"]} of {limit} epochs.')
    for stage in (run.content.get('stages') or {}).get('plan') or []:
        if stage.get('load_best'):
            notes.append(
                f'Stage {stage["name"]!r} began with the weights that were best by '
                f'{stage["load_best"].get("metric")!r} on the validation set.'
            )
    if run.results.get('broken_images'):
        notes.append(f'{len(run.results["broken_images"])} training images were broken.')
    return notes


def changes_to_shipped(run: FinishedRun, cfg: Config) -> list[str]:
    """In words, what a run has changed in the config of mmdrl that has its name; nothing if there is none."""
    path = shipped_configs().get(run.config)
    if path is None:
        return []
    theirs, ours = (_flat(published_config(one).to_dict()) for one in (load_config(str(path)), cfg))
    names = sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name))
    changes = [f'{name}={ours.get(name)} in place of {theirs.get(name)}' for name in names]
    size, base = run.results.get('total_batch_size'), (cfg.get('auto_scale_lr') or {}).get('base_batch_size')
    if size is not None and base is not None and size != base:  # the number of processes is in no config
        changes.insert(0, f'total batch size {size} in place of {base}')
    return changes


def changes_in_words(run: FinishedRun, changes: list[str]) -> str:
    """One sentence about them."""
    rest = f' and {len(changes) - _SHOWN} more' if len(changes) > _SHOWN else ''
    return f'The run has changed the config {run.config} of mmdrl: {", ".join(changes[:_SHOWN])}{rest}.'


def compared_with_results(run: FinishedRun, cfg: Config, tested: Mapping[str, float | None]) -> list[str]:
    """What validation has measured at the end of training must come out again, on a machine like that of the run.

    Raises:
        DataError: If it does not.
    """
    results = run.results
    if not (run.is_last and tests_on_validation(cfg)):
        return []
    differ = differences(results['metrics'], tested)
    if not differ:
        return ['The last validation of the run measured the same numbers.']
    here = {device_name(torch.device('cuda' if torch.cuda.is_available() else 'cpu'))}, cpu_name(), versions()['torch']
    devices = results.get('devices') or []
    if here == (set(devices), results.get('cpu'), (results.get('versions') or {}).get('torch')):
        if len(devices) > 1:
            return [f'Tested in one process, trained in {len(devices)}: {"; ".join(differ)}.']
        check_same(results['metrics'], tested, ('results.json', 'the published file'))
    return [f'Tested on another kind of machine than it was trained on: {"; ".join(differ)}.']


def _flat(value: Any, name: str = '') -> dict[str, Any]:
    """Values by their names in the config, without those of a run or machine; lists of plain values stay whole."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    found: dict[str, Any] = {}
    for key, entry in entries:
        full = f'{name}.{key}' if name else str(key)
        if key in _OWN:
            continue
        is_nested = isinstance(entry, dict) or (
            isinstance(entry, (list, tuple)) and any(isinstance(part, (dict, list, tuple)) for part in entry)
        )
        if is_nested and entry:
            found |= _flat(entry, full)
        else:
            found[full] = list(entry) if isinstance(entry, tuple) else entry
    return found
