"""The quick look of ``run.py``: the ratios that each benchmark's ``quick()`` finds, against those recorded.

Each runs in a process of its own. A ratio has moved if it is further from the recorded ones than these are apart, or
than a tenth of their median where they are closer.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
PATIENCE = 60  # seconds for one benchmark
MARK = 'quick ratios: '
CALL = """
import importlib, inspect, json, pathlib, sys
sys.path.insert(0, {folder!r})
quick = getattr(importlib.import_module({name!r}), 'quick', None)
released = [pathlib.Path(path) for path in {released!r}]
wants = len(inspect.signature(quick).parameters) if quick else 0
if quick is None:
    found = 'it has no quick look'
elif wants > len(released):
    found = 'it needs --released'
else:
    found = quick(*released[:wants])
print('\\n' + {mark!r} + json.dumps(found))
"""
Ratios = dict[str, float]
Recorded = dict[str, list[float]]


def ratios_of(name: str, folder: Path = HERE, released: Path | None = None) -> Ratios | str:
    """Those of one benchmark, or a sentence of why there are none.

    Args:
        name: Of the benchmark.
        folder: Where it is.
        released: The authors' code, for one that compares with it.
    """
    if not (folder / f'{name}.py').is_file():
        return 'there is no such benchmark'
    authors = [str(released.resolve())] if released else []
    call = CALL.format(folder=str(folder), name=name, released=authors, mark=MARK)
    command = [sys.executable, '-W', 'ignore', '-c', call]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return f'it took more than {PATIENCE} s'
    lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode or not lines:
        words = (done.stderr.strip().splitlines() or ['it said nothing'])[-1]
        return f'it broke with exit status {done.returncode}: {words}'
    found: Ratios | str = json.loads(lines[-1].removeprefix(MARK))
    return found


def has_moved(value: float, before: Sequence[float]) -> bool:
    """Whether a ratio lies outside what was recorded."""
    margin = max(max(before) - min(before), 0.1 * statistics.median(before))
    return not min(before) - margin <= value <= max(before) + margin


def rows_of(name: str, found: Ratios | str, recorded: Recorded) -> list[list[str]]:
    """Cells of a benchmark: what, today, recorded, their range, and what is to be noticed."""
    if isinstance(found, str):
        return [[name, '-', '-', '-', found]]
    rows = []
    for what, value in found.items():
        before = recorded.get(f'{name}: {what}')
        if before is None:
            rows.append([f'{name}: {what}', f'{value:.3g}', '-', '-', 'not recorded'])
            continue
        middle = statistics.median(before)
        note = f'MOVED, {value / middle - 1:+.0%}' if has_moved(value, before) else ''
        between = f'{min(before):.3g} to {max(before):.3g}'
        rows.append([f'{name}: {what}', f'{value:.3g}', f'{middle:.3g}', between, note])
    return rows


def look(names: Sequence[str], path: Path, folder: Path = HERE, released: Path | None = None) -> None:
    """Print today's ratios beside the recorded ones.

    Args:
        names: Of the benchmarks.
        path: Of what was recorded; nothing is compared if it is not there.
        folder: Where the benchmarks are.
        released: The authors' code.
    """
    recorded: Recorded = json.loads(path.read_text())['ratios'] if path.is_file() else {}
    begin = time.monotonic()
    table = Table('', 'today', 'recorded', 'between', '', title='Ratios of small inputs')
    for name in names:
        for row in rows_of(name, ratios_of(name, folder, released), recorded):
            table.add_row(*row)
    Console(width=140).print(table)
    print(f'{time.monotonic() - begin:.0f} s; ratios of small inputs say what has moved, not how fast a training is')


def record(names: Sequence[str], times: int, path: Path, folder: Path = HERE, released: Path | None = None) -> None:
    """Take so many looks and write down all they found; what is known of others, or of one that breaks, stays."""
    from mmdrl.engine.environment import describe_environment

    content = json.loads(path.read_text()) if path.is_file() else {}
    looks: Recorded = {}
    for turn in range(times):
        for name in names:
            found = ratios_of(name, folder, released)
            if isinstance(found, str):
                print(f'{name}: {found}' * (turn == 0))
                continue
            for what, value in found.items():
                looks.setdefault(f'{name}: {what}', []).append(float(f'{value:.4g}'))
        print(f'look {turn + 1} of {times}', flush=True)
    anew = {what.partition(':')[0] for what in looks}
    kept = {what: known for what, known in content.get('ratios', {}).items() if what.partition(':')[0] not in anew}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(machine=describe_environment(), ratios=kept | looks), indent=1) + '\n')
    print(f'Written: {path}')


if __name__ == '__main__':
    sys.exit('error: expected python benchmarks/run.py --quick')
