"""Every test that the page of promises names is there."""

import ast
import re
from pathlib import Path

from command import ROOT

PAGE = ROOT / 'docs/reliability.md'
NAMED = re.compile(r'`((?:[\w/]+\.py)?)(?:::(\w+))?`')


def named_tests() -> list[tuple[str, str]]:
    """File and function of each; a function without a file is of the one named before."""
    found: list[tuple[str, str]] = []
    for line in PAGE.read_text().splitlines():
        file = ''
        for path, function in NAMED.findall(line):
            file = path or file
            if Path(file).name.startswith('test_'):
                found.append((file, function))
    return found


def test_each_promise_names_a_test_that_exists() -> None:
    tests = named_tests()
    assert len(tests) > 40
    for file, function in tests:
        tree = ast.parse((ROOT / 'tests' / file).read_text())
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert function in functions or not function, f'{file}::{function}'


def test_every_row_of_the_page_names_one() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith('| ') and '| shown by |' not in line]
    soak = ('| | ', '| kills', '| iterations lost', '| trainings that', '| compared with')
    promises = [row for row in rows if not row.startswith(soak)]
    assert len(promises) > 40
    assert all('test_' in row for row in promises)
