"""What of a checkpoint is published: the model as it is tested, and where it is from. Training cannot go on from it."""

import json
from typing import Any

from mmengine.config import Config
from torch import Tensor, nn

from mmdrl.engine.checkpoints import without_sums
from mmdrl.engine.config import LOADERS
from mmdrl.engine.results import without_nan
from mmdrl.errors import DataError

from .run_folder import FinishedRun

# What of results.json is published beside it; the card has the command, without folders of the machine.
_MADE_WITH = (
    'git',
    'project_git',
    'python',
    'cpu',
    'devices',
    'processes',
    'threads',
    'deterministic',
    'total_batch_size',
)
_OF_THE_MACHINE = ('work_dir', 'launcher', 'resume', 'model_wrapper_cfg', 'experiment_name')


def published_config(cfg: Config) -> Config:
    """The config of a run without what only its machine had."""
    kept = {key: value for key, value in cfg.to_dict().items() if key not in _OF_THE_MACHINE}
    if cfg.get('resume'):
        kept.pop('load_from', None)  # it has become the checkpoint that the run went on from
    for loader in LOADERS:
        if isinstance(kept.get(loader), dict):
            kept[loader].pop('pin_memory', None)  # whether there was a GPU
    return Config(kept)


def published_content(run: FinishedRun, model: nn.Module, head: dict[str, Any] | None, cfg: Config) -> dict[str, Any]:
    """Content of the published file: ``meta``, ``state_dict``, ``class_counts``, ``stages`` if these change the head.

    Weights are those that a test uses, with an ``EMAHook`` the averaged ones: MMEngine has put them there. Of a stage
    with another loss the config's own takes the place.

    Args:
        run: The run.
        model: As the checkpoint had it, not wrapped, with any weights.
        head: Config of the head if a stage has changed it, else ``None``.
        cfg: What :func:`published_config` gives.

    Raises:
        DataError: If the checkpoint has entries that the model has not.
    """
    saved = run.content
    old: dict[str, Any] = saved.get('meta') or {}
    meta = dict(
        config=run.config,
        cfg=cfg.pretty_text,
        dataset_meta=old.get('dataset_meta') or {},
        seed=run.results.get('seed'),
        trained_epochs=old.get('epoch', run.results.get('epochs')),
        metrics=run.results.get('metrics') if run.is_last else None,
        versions=run.results.get('versions'),
        made_with={name: run.results[name] for name in _MADE_WITH if name in run.results},
        head=head,
        rebalance=old.get('rebalance'),
    )
    content = dict(meta=_plain(meta), state_dict=_state(saved, model, run.checkpoint.name))
    counts = saved.get('class_counts') or run.results.get('class_counts')
    if counts is not None:
        content['class_counts'] = _plain(counts)
    if head is not None:
        names = [dict(name=stage['name']) for stage in saved['stages']['plan']]
        content['stages'] = _plain(dict(current=saved['stages']['current'], plan=names))
    return content


def _state(saved: dict[str, Any], model: nn.Module, name: str) -> dict[str, Tensor]:
    """The entries that the model wants, in its order."""
    given = without_sums(saved['state_dict'])
    own_loss = (saved.get('stages') or {}).get('loss') or {}
    wanted = without_sums(model.state_dict())
    strange = [key for key in given if key not in wanted and '.loss_module.' not in key]
    if strange:
        raise DataError(
            f'{name} has {strange[0]} and {len(strange) - 1} more entries that the model of the config has not. Is it '
            'of this run?'
        )
    given |= {f'head.loss_module.{key}': value for key, value in own_loss.items()}
    # Entries that share memory, or are parts of larger tensors, would be saved with all of it.
    return {key: given.get(key, value).detach().cpu().clone().contiguous() for key, value in wanted.items()}


def _plain(value: Any) -> Any:
    """Numbers, strings, lists and dicts, each an object of its own: equal content then makes equal files."""
    return json.loads(json.dumps(without_nan(value), default=_from_array))


def _from_array(value: Any) -> Any:
    return value.tolist() if hasattr(value, 'tolist') else str(value)
