"""Runs that may be pooled: the same config on the same data, apart from the seed.

The name of a config is no proof: overrides change it without a trace in the name. So the dumped configs are compared,
and what differs beyond the seed is a group of its own. Groups on different data, or with other edges between many and
few, never share a table.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mmdrl.engine.run_record import RunRecord
from mmdrl.stats.spread import Difference, Spread, paired_difference, spread

# Where a run lies, how it was started, what its seed was, and how fast a machine can load.
LEFT_OUT = ('work_dir', 'resume', 'launcher', 'experiment_name', 'randomness.seed', 'log_level', 'model_wrapper_cfg')
LEFT_OUT_ENDS = ('.pin_memory', '.persistent_workers', '.num_workers', '.prefetch_factor')
ALL_PAIRS_UP_TO = 4  # groups
_ABSENT = '(not there)'


@dataclass
class RunGroup:
    """Runs of one config over seeds.

    Attributes:
        name: Name of the config, with what sets it apart from another group of that name.
        records: Its runs.
    """

    name: str
    records: list[RunRecord] = field(default_factory=list)

    @property
    def is_finished(self) -> bool:
        """Whether its runs have ended; a group is never mixed."""
        return self.records[0].is_finished

    @property
    def seeds(self) -> list[int]:
        """Seeds, each once."""
        return sorted({seed for seed in map(seed_of, self.records) if seed is not None})

    def by_seed(self, metric: str, stage: str | None = None) -> dict[int, float | None]:
        """Values of a metric by seed, of the last validation or of that of a stage; runs of one seed count as one."""
        found: dict[int, list[float | None]] = {}
        for number, record in enumerate(self.records):
            seed = seed_of(record)
            metrics = last_metrics(record) if stage is None else (record.results.get('stages') or {}).get(stage, {})
            found.setdefault(-1 - number if seed is None else seed, []).append(metrics.get(metric))
        means = {seed: spread(values) for seed, values in found.items()}
        return {seed: None if mean is None else mean.mean for seed, mean in means.items()}

    def spread(self, metric: str, stage: str | None = None) -> Spread | None:
        """Mean and spread of a metric over the seeds."""
        return spread(list(self.by_seed(metric, stage).values()))

    def less(self, other: 'RunGroup', metric: str) -> Difference | None:
        """Paired difference to another group; seeds that nobody knows make no pair."""
        mine, others = ({s: v for s, v in group.by_seed(metric).items() if s >= 0} for group in (self, other))
        return paired_difference(mine, others)


def seed_of(record: RunRecord) -> int | None:
    """Seed of a run, as far as it is known."""
    given = record.results.get('seed')
    if given is None and record.config is not None:
        given = (record.config.get('randomness') or {}).get('seed')
    return given if isinstance(given, int) and given >= 0 else None


def last_metrics(record: RunRecord) -> dict[str, float | None]:
    """Metrics of the end, or of the last validation of a run that has not reached it."""
    if record.is_finished:
        return dict(record.results.get('metrics') or {})
    entries = record.val[-1] if record.val else {}
    return {key: value for key, value in entries.items() if isinstance(value, float)}


def settings(record: RunRecord) -> dict[str, str]:
    """The config as dotted keys and texts, without what may differ between runs that are pooled."""
    flat: dict[str, str] = {}
    if record.config is not None:
        _flatten(record.config.to_dict(), '', flat)
    else:
        flat['(config unknown, folder)'] = str(record.folder)
    batch = record.results.get('total_batch_size')
    flat |= {} if batch is None else {'total batch size of all processes': str(batch)}
    return {key: text for key, text in flat.items() if key not in LEFT_OUT and not key.endswith(LEFT_OUT_ENDS)}


def differences(records: Sequence[RunRecord]) -> dict[str, list[str]]:
    """Settings that are not the same in all runs: a text for each run, by dotted key."""
    each = [settings(record) for record in records]
    keys = dict.fromkeys(key for flat in each for key in flat)
    rows = {key: [flat.get(key, _ABSENT) for flat in each] for key in keys}
    return {key: texts for key, texts in rows.items() if len(set(texts)) > 1}


def group_runs(records: Sequence[RunRecord]) -> tuple[list[RunGroup], list[str]]:
    """Groups in the order of their first runs, and sentences about what was not pooled."""
    found: dict[str, RunGroup] = {}
    for record in records:
        own = '' if record.is_finished else str(record.folder)  # one that has not ended stands alone
        key = json.dumps([record.config_name, settings(record), data_key(record), own])
        found.setdefault(key, RunGroup(record.config_name)).records.append(record)
    groups = list(found.values())
    return groups, [*_name_apart(groups), *_repeated(groups)]


def pairs(groups: Sequence[RunGroup]) -> list[tuple[RunGroup, RunGroup]]:
    """Finished groups to compare: each with each, of many groups each with the first."""
    finished = [group for group in groups if group.is_finished]
    firsts = finished if len(finished) <= ALL_PAIRS_UP_TO else finished[:1]
    return [(first, other) for i, first in enumerate(firsts) for other in finished[i + 1 :]]


def data_key(record: RunRecord) -> str:
    """What two runs must share to stand in one table: class sizes, edges of the groups and validation images."""
    images = {} if record.config is None else dict((record.config.get('val_dataloader') or {}).get('dataset') or {})
    values = [record.results.get('class_counts'), record.results.get('shot_groups'), _without_pipelines(images)]
    return json.dumps(values, sort_keys=True, default=str)


def _name_apart(groups: Sequence[RunGroup]) -> list[str]:
    notes = []
    for name in dict.fromkeys(group.name for group in groups):
        same = [group for group in groups if group.name == name]
        finished = [group for group in same if group.is_finished]
        for group in same:
            if not group.is_finished:
                group.name = f'{name}, unfinished ({group.records[0].name})'
        if len(finished) < 2:
            continue
        changed = differences([group.records[0] for group in finished])
        shown = [f'{key}: {" | ".join(texts)}' for key, texts in list(changed.items())[:3]]
        more = f' and {len(changed) - 3} more' if len(changed) > 3 else ''
        notes.append(
            f'{name} is the name of {len(finished)} different configs, which are not pooled. They differ in '
            f'{"; ".join(shown)}{more}.'
        )
        for number, group in enumerate(finished):
            own = [f'{key.rpartition(".")[2]}={texts[number]}' for key, texts in changed.items()]
            is_short = len(own) == 1 and len(own[0]) < 30
            group.name = f'{name}, {own[0]}' if is_short else f'{name} ({number + 1})'
    return notes


def _repeated(groups: Sequence[RunGroup]) -> list[str]:
    notes = []
    for group in groups:
        for seed in group.seeds:
            names = [record.name for record in group.records if seed_of(record) == seed]
            if len(names) > 1:
                notes.append(
                    f'{group.name} has seed {seed} in {len(names)} runs ({", ".join(names)}): their mean counts as one.'
                )
    return notes


def _flatten(value: Any, prefix: str, flat: dict[str, str]) -> None:
    entries: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, (list, tuple)):
        entries = list(enumerate(value))
    for key, entry in entries:
        _flatten(entry, f'{prefix}.{key}' if prefix else f'{key}', flat)
    if not entries:
        flat[prefix] = repr(value)


def _without_pipelines(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_pipelines(entry) for key, entry in value.items() if key != 'pipeline'}
    return [_without_pipelines(entry) for entry in value] if isinstance(value, (list, tuple)) else value
