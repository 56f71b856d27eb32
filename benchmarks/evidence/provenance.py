"""What the records of a plan were made with, in words."""

from collections.abc import Iterable
from typing import Any

from .measured import MeasuredPlan

DIRTY = '†'


def made_with(measured: MeasuredPlan) -> str:
    """Command, revisions, versions, machines and time of all records, in one paragraph."""
    made = [cell['made_with'] for cell in measured.cells]
    seconds = sum(cell['train_seconds'] for cell in measured.cells)
    trainings = f'{len(made)} of {measured.planned} trainings, {_time(seconds)} in all'
    return (
        f'Made by `{measured.command}`: {trainings}; revision {_or(map(revision, made))}; '
        f'{_or(map(_versions, made))}; {_or(map(_machine, made))}.\n'
    )


def is_dirty(cell: dict[str, Any]) -> bool:
    """Whether the code that trained it is known to be that of no revision."""
    return bool((cell['made_with'].get('git') or {}).get('has_changes'))


def revision(made: dict[str, Any]) -> str:
    """Of the code, short."""
    git = made.get('git') or {}
    return f'{git["revision"][:7]}{DIRTY * bool(git.get("has_changes"))}' if git.get('revision') else 'not known'


def _or(found: Iterable[str]) -> str:
    return ' or '.join(sorted(set(found)))


def _versions(made: dict[str, Any]) -> str:
    known = made.get('versions') or {}
    shown = [name for name in known if name in ('mmdrl', 'torch') or name.endswith(('mmengine', 'mmpretrain'))]
    return ', '.join(f'{name} {known[name]}' for name in shown) or 'versions not known'


def _machine(made: dict[str, Any]) -> str:
    devices = [device for device in made.get('devices') or [] if device]
    on_cpu = not devices or set(devices) == {'cpu'}
    name = (made.get('cpu') or 'a CPU') if on_cpu else ' and '.join(sorted(set(devices)))
    threads, processes = made.get('threads') or 1, made.get('processes') or 1
    words = [f'{threads} thread{"s" * (threads > 1)}'] * on_cpu + [f'{processes} processes'] * (processes > 1)
    return ', '.join([name, *words])


def _time(seconds: float) -> str:
    return f'{seconds / 3600:.1f} hours' if seconds >= 5400 else f'{seconds / 60:.0f} minutes'
