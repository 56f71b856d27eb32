"""Write tables from ``benchmarks/results/*.json`` into ``docs/results.md``, ``docs/performance.md`` and the README.

``python tools/dev/write_results.py`` writes, ``--check`` only says whether a page is out of date and then ends with
status 1. Tables stand between two marks; the text around them is written by hand.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from speed_tables import goals_and_estimate, short_goals

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / 'benchmarks' / 'results'
BEGIN = '<!-- Made by tools/dev/write_results.py from benchmarks/results; do not edit by hand. -->\n'
PLUS_MINUS = '\u00a0±\u00a0'  # cells do not break there
END = '<!-- End of what write_results.py has made. -->\n'


class Table(NamedTuple):
    """What is said of a result file with accuracies over seeds."""

    heading: str
    text: str
    columns: tuple[str, ...]


TABLES = {
    'digits_seeds': Table(
        'The digits: the same stages with and without the DR loss',
        '`ce` is plain cross-entropy, `crt` balanced training in stages, `drl` the same stages with the DR loss.',
        ('many', 'medium', 'few', 'all', 'ncm/few', 'ncm/all'),
    ),
    'digits_balancing': Table(
        'The digits: ways of balancing, with and without the DR loss',
        'The same epochs and network for all (balanced stages draw more images per epoch); nothing was tuned. NCM '
        'is the nearest class mean.',
        ('many', 'medium', 'few', 'all'),
    ),
}
COMMANDS = {
    'digits_seeds': 'python benchmarks/digits_seeds.py',
    'digits_balancing': 'python benchmarks/digits_seeds.py',
    'digits_representation': 'python benchmarks/digits_representation.py',
    'loss_cpu': 'python benchmarks/loss.py --released path/to/losses.py',
    'loss_cpu_1_thread': 'OMP_NUM_THREADS=1 python benchmarks/loss.py --released path/to/losses.py',
    'lists_cpu': 'python benchmarks/lists.py',
    'data_path_cpu': 'python benchmarks/data_path.py',
    'distributed_cpu': 'python benchmarks/distributed.py',
    'samplers_cpu': 'python benchmarks/samplers.py',
    'checkpoints': 'python benchmarks/checkpoints.py',
    'scaling_cpu': 'python benchmarks/scaling.py',
    'step_cpu': 'python benchmarks/step.py',
    'loop_cpu': 'python benchmarks/loop.py',
    'startup_cpu': 'python benchmarks/startup.py',
    'epoch_cpu': 'python benchmarks/epoch.py --released path/to/DRO-LT',
    'watch_cpu': 'python benchmarks/run.py --record 5',
    'soak': 'python benchmarks/soak.py --cycles 50',
}


def table(name: str) -> str:
    """Section of one file: heading, provenance, a row per method and per paired difference.

    Args:
        name: Of the file, without its ending.
    """
    heading, text, columns = TABLES[name]
    content: dict[str, Any] = json.loads((RESULTS / f'{name}.json').read_text())
    found = {
        ', '.join(f'{package} {version}' for package, version in run['versions'].items()) for run in content['runs']
    }
    lines = [
        f'## {heading}\n\n{text} {content["seeds"]} seeds each;',
        f'[{name}.json](../benchmarks/results/{name}.json), made by `{COMMANDS[name]}`',
        f'({"; or ".join(sorted(found))}).\n',
        f'| | {" | ".join(columns)} |',
        '|---' * (len(columns) + 1) + '|',
    ]
    for label, values in content['summary'].items():
        sign = '+' if ' - ' in label else ''
        cells = [f'{values[column][0]:{sign}.1f}{PLUS_MINUS}{values[column][1]:.1f}' for column in columns]
        lines.append(f'| {label} | {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n\n'


def files() -> str:
    """Section that lists every result file with the command that made it."""
    lines = ['## All result files\n', '| file | made by |', '|---|---|']
    for path in sorted(RESULTS.glob('*.json')):
        command = f'`{COMMANDS[path.stem]}`' if path.stem in COMMANDS else 'not said'
        lines.append(f'| [{path.name}](../benchmarks/results/{path.name}) | {command} |')
    return '\n'.join(lines) + '\n\n'


def accuracies_and_files() -> str:
    """What ``docs/results.md`` has between its marks."""
    return ''.join(map(table, TABLES)) + files()


PAGES: dict[str, Callable[[], str]] = {
    'docs/results.md': accuracies_and_files,
    'docs/performance.md': goals_and_estimate,
    'README.md': short_goals,
}


def page(old: str, made: str, name: str) -> str:
    """A page with its tables as they should be.

    Args:
        old: The page, with the two marks.
        made: What is to stand between them.
        name: Of the page.
    """
    if old.count(BEGIN) != 1 or old.count(END) != 1 or old.index(BEGIN) > old.index(END):
        sys.exit(f'error: {name} must have these two lines once each, in this order:\n{BEGIN}{END}')
    before, after = old.split(BEGIN)[0], old.split(END)[1]
    return f'{before}{BEGIN}\n{made}{END}{after}'


def main() -> None:
    """Compare, then write or say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true', help='write nothing; status 1 if a page is out of date')
    is_check = parser.parse_args().check
    old = {name: (ROOT / name).read_text(encoding='utf-8') for name in PAGES}
    new = {name: page(old[name], made(), name) for name, made in PAGES.items()}
    stale = [name for name in PAGES if new[name] != old[name]]
    if is_check and stale:
        sys.exit(f'error: {", ".join(stale)}: out of date. Run python tools/dev/write_results.py')
    for name in stale:
        (ROOT / name).write_text(new[name], encoding='utf-8')
        print(f'written: {name}')


if __name__ == '__main__':
    main()
