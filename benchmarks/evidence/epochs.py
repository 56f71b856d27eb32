"""The same recipe over another number of epochs."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from mmengine.config import Config

from mmdrl.errors import ConfigError


def with_epochs(cfg: Config, epochs: int) -> Config:
    """A copy of a config in which schedule and stages fill so many epochs.

    Every boundary of the schedule and of the stages keeps its share of the training, rounded to whole epochs; each
    stage keeps one epoch at least. A linear warm-up at the beginning keeps its length where training gets longer, two
    epochs where it gets shorter, or it goes: MMEngine's of a single epoch ends before it has reached the full rate.

    Args:
        cfg: Trained by epochs.
        epochs: Of all stages together.

    Raises:
        ConfigError: If it is trained by iterations, or its stages are more than the epochs.
    """
    cfg = deepcopy(cfg)
    before = (cfg.get('train_cfg') or {}).get('max_epochs')
    if not isinstance(before, int):
        raise ConfigError(f'Expected a config with train_cfg.max_epochs to stretch, got {cfg.get("train_cfg")}.')
    cfg.train_cfg.max_epochs = epochs
    if cfg.get('param_scheduler'):
        cfg.param_scheduler = _stretched(cfg.param_scheduler, before, epochs)
    stages = ((cfg.get('default_hooks') or {}).get('stages') or {}).get('stages') or []
    if len(stages) > epochs:
        raise ConfigError(f'Expected at least one epoch for each of {len(stages)} stages, got {epochs} epochs in all.')
    lengths = [stage['epochs'] for stage in stages]
    end = 0
    for number, stage in enumerate(stages):
        begin, left = end, len(stages) - number - 1
        end = min(max(round(sum(lengths[: number + 1]) * epochs / before), begin + 1), epochs - left)
        stage['epochs'] = end - begin
        if stage.get('param_scheduler'):
            stage['param_scheduler'] = _stretched(stage['param_scheduler'], lengths[number], end - begin)
    return cfg


def _stretched(schedule: Any, before: int, after: int) -> list[Any]:
    """Schedulers with the boundaries of those by epoch moved; without one that has no epoch left."""
    parts = schedule if isinstance(schedule, Sequence) else [schedule]
    place = _places(parts, before, after)
    for part in parts:
        begin = part.get('begin', 0)
        if not part.get('by_epoch', True):
            continue
        if 'T_max' in part:
            part['T_max'] = max(1, place(begin + part['T_max']) - place(begin))
        if 'milestones' in part:
            part['milestones'] = [place(epoch) for epoch in part['milestones']]
        for key in ('begin', 'end'):
            if key in part:
                part[key] = place(part[key])
    return [part for part in parts if part.get('begin', 0) < part.get('end', after + 1)]


def _places(parts: Sequence[Mapping[str, Any]], before: int, after: int) -> Callable[[int], int]:
    """Where an epoch of the old schedule lies in the new one: linear on either side of the end of the warm-up."""
    warm_up = max((p['end'] for p in parts if p['type'] == 'LinearLR' and not p.get('begin') and 'end' in p), default=0)
    kept = warm_up if after >= before else max(2, round(warm_up * after / before)) if warm_up and after > 2 else 0

    def place(epoch: int) -> int:
        if epoch <= warm_up:
            return round(epoch * kept / warm_up) if warm_up else 0
        return kept + round((epoch - warm_up) * (after - kept) / (before - warm_up))

    return place
