"""Where a published model is from, as parts of its card."""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np

from mmdrl.stats import class_statistics

from .run_folder import FinishedRun

_DROPPED = ('--work-dir', '--launcher', '--local_rank', '--local-rank')  # of the machine


def training_section(run: FinishedRun) -> str:
    """How the run was made: command, code, versions, machine, length."""
    results = run.results
    git = results.get('git')
    project, switches = results.get('project_git'), results.get('deterministic')
    devices = results.get('devices') or []
    kinds = [f'{devices.count(name)} x {name}' for name in dict.fromkeys(devices)]
    stages = [stage['name'] for stage in (run.content.get('stages') or {}).get('plan') or []]
    rows = {
        'command': f'`{shown_command(results["command"])}`' if results.get('command') else None,
        'mmdrl at git revision': _revision(git) if 'git' in results else None,
        'config at git revision': _revision(project) if project else None,
        'versions': ', '.join(f'{name} {version}' for name, version in _versions(run).items()),
        'Python': results.get('python'),
        'processes and devices': ', '.join(kinds),
        'CPU': results.get('cpu'),
        'threads per process': results.get('threads'),
        'deterministic switches': ', '.join(f'{name} {"on" if on else "off"}' for name, on in (switches or {}).items()),
        'seed': results.get('seed'),
        'epochs': results.get('epochs'),
        'stages': ', '.join(stages),
        'total batch size': results.get('total_batch_size'),
        'time': _duration(results.get('train_seconds')),
    }
    lines = [f'| {name} | {value} |' for name, value in rows.items() if value not in (None, '')]
    return '\n'.join(['## Training\n', '| | |', '|---|---|', *lines])


def classes_section(run: FinishedRun) -> str:
    """The long tail that it was trained on, in numbers."""
    counts = run.results.get('class_counts')
    if not counts:
        return '## Training images per class\n\nNot known.'
    found = class_statistics(np.asarray(counts), **(run.results.get('shot_groups') or {}))
    lines = [f'| {name.replace("_", " ")} | {_number(value)} |' for name, value in found.items()]
    return '\n'.join(['## Training images per class\n', '| | |', '|---|---|', *lines])


def shown_command(command: str) -> str:
    """The command as others would type it: without folders of this machine and what concerns it alone."""
    words = shlex.split(command)
    if not words:
        return ''
    tool = Path(words[0])  # a program of one's own is in no folder that others know
    shown, skip = [f'python {"tools/" * (tool.parent.name == "tools")}{shlex.quote(tool.name)}'], False
    for word in words[1:]:
        if not skip and word.partition('=')[0] not in _DROPPED:
            is_config = word.endswith('.py') and '=' not in word
            shown.append(shlex.quote(_at_home(re.sub(r'^/.*/configs/', 'configs/', word) if is_config else word)))
        skip = not skip and word in _DROPPED
    return ' '.join(shown)


def _at_home(word: str) -> str:
    home = str(Path.home())
    return word if home == '/' else re.sub(rf'{re.escape(home)}(?![^/,\]\'"])', '~', word)


def _revision(git: dict[str, Any] | None) -> str:
    return git['revision'] + ' with changes' * bool(git['has_changes']) if git else 'not known'


def _versions(run: FinishedRun) -> dict[str, str]:
    return dict(run.results.get('versions') or {})


def _duration(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    minutes = round(seconds / 60)
    return f'{seconds:.0f} s' if seconds < 120 else f'{minutes // 60} h {minutes % 60:02d} min'


def _number(value: float | None) -> str:
    if value is None:
        return '-'
    return f'{value:,}' if isinstance(value, int) else f'{value:,.3f}'.rstrip('0').rstrip('.')
