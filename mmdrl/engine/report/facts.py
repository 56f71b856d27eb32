"""Who trained what, on what and how to do it again: runs, environment and commands of a report."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmdrl.engine.run_record import RunRecord

from .groups import RunGroup, last_metrics, seed_of
from .paths import short_command, short_path
from .tables import Table

_SHORT = 10  # letters of a revision


def run_rows(groups: Sequence[RunGroup], names: Mapping[int, str]) -> Table:
    """A line for each run.

    Args:
        groups: Of all sections.
        names: What each record is called, by its ``id``.
    """
    rows = []
    for group in groups:
        for record in group.records:
            results = record.results
            checkpoint = results.get('checkpoint')
            seed, metrics = seed_of(record), last_metrics(record)
            rows.append(
                [
                    names[id(record)],
                    group.name,
                    '-' if seed is None else f'{seed}',
                    *('-' if metrics.get(key) is None else f'{metrics[key]:.1f}' for key in ('all', 'few')),
                    _epochs(record),
                    f'{results["train_seconds"]:.0f} s' if results.get('train_seconds') is not None else '-',
                    short_path(str(checkpoint)).rpartition('/')[2] if checkpoint else '-',
                    revision(results),
                ]
            )
    head = ['run', 'group', 'seed', 'all, %', 'few, %', 'epochs', 'training', 'checkpoint', 'revision']
    return Table('The runs, one by one', head, rows, is_numeric=False)


def revision(results: Mapping[str, Any]) -> str:
    """Git revision of the code, in short."""
    git = results.get('git')
    if not isinstance(git, dict) or not git.get('revision'):
        return '-'
    return str(git['revision'])[:_SHORT] + (' with changes' if git.get('has_changes') else '')


def commands(groups: Sequence[RunGroup]) -> list[str]:
    """Command of every run, each once, without the folders of its machine."""
    found = [record.results.get('command') for group in groups for record in group.records]
    return list(dict.fromkeys(short_command(str(command)) for command in found if command))


def environment_rows(records: Sequence[RunRecord], names: Mapping[int, str]) -> Table:
    """What the runs were made with: one value where all agree, otherwise who has which."""
    facts: dict[str, dict[str, list[str]]] = {}
    finished = [record for record in records if record.is_finished]
    for record in finished:
        for key, value in _facts(record.results).items():
            facts.setdefault(key, {}).setdefault(value, []).append(names[id(record)])
    rows = []
    for key, values in facts.items():
        is_shared = len(values) == 1 and len(next(iter(values.values()))) == len(finished)
        texts = [value if is_shared else f'{value} ({", ".join(who)})' for value, who in values.items()]
        rows.append([key, '; '.join(texts)])
    return Table('What the runs were made with', ['', 'value'], rows, is_numeric=False)


def _facts(results: Mapping[str, Any]) -> dict[str, str]:
    values = dict(
        python=results.get('python'),
        platform=results.get('platform'),
        processor=results.get('cpu'),
        cores=results.get('cpu_cores'),
        devices=', '.join(map(str, results.get('devices') or ())),
        **{'total batch size': results.get('total_batch_size')},
        parameters=f'{results["parameters"]:,}' if isinstance(results.get('parameters'), int) else None,
        **(results.get('versions') or {}),
    )
    return {key: str(value) for key, value in values.items() if value not in (None, '')}


def _epochs(record: RunRecord) -> str:
    done = record.results.get('epochs')
    if done is not None:
        return str(done)
    last = record.train[-1].get('epoch') if record.train else None
    planned = ((record.config or {}).get('train_cfg') or {}).get('max_epochs')
    return '-' if last is None else f'{last} of {planned}' if planned else str(last)
