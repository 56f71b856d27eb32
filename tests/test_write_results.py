"""The page of results says what the result files say, and names all of them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / 'docs' / 'results.md').read_text(encoding='utf-8')
FILES = sorted((ROOT / 'benchmarks' / 'results').glob('*.json'))


def test_page_is_up_to_date() -> None:
    command = [sys.executable, ROOT / 'tools' / 'dev' / 'write_results.py', '--check']
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, '')


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_every_result_file_has_the_command_that_made_it(path: Path) -> None:
    row = re.search(rf'^\| \[{re.escape(path.name)}\].*\| `(?:\w+=\d )?python (\S+\.py).*` \|$', PAGE, re.MULTILINE)
    assert row
    assert (ROOT / row[1]).is_file()


def test_numbers_are_those_of_the_runs() -> None:
    """Counted anew from the single runs, not from the summary that the page is made of."""
    runs = json.loads((ROOT / 'benchmarks' / 'results' / 'digits_seeds.json').read_text())['runs']
    few = {
        name: np.array(
            [run['metrics']['few'] for run in sorted(runs, key=lambda r: r['seed']) if run['method'] == name]
        )
        for name in ('crt', 'drl')
    }
    row = re.search(r'^\| drl \|(.*)\|$', PAGE, re.MULTILINE)[1].split('|')
    assert row[2].strip().replace('\u00a0', ' ') == f'{few["drl"].mean():.1f} ± {few["drl"].std(ddof=1):.1f}'
    change = few['drl'] - few['crt']
    row = re.search(r'^\| drl - crt \|(.*)\|$', PAGE, re.MULTILINE)[1].split('|')
    assert (
        row[2].strip().replace('\u00a0', ' ') == f'{change.mean():+.1f} ± {change.std(ddof=1) / len(change) ** 0.5:.1f}'
    )
