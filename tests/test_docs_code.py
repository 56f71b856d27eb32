"""The Python on the pages runs, and the configs on them are taken."""

import re
from pathlib import Path

import pytest
from pages import PAGES, name_of

pytest.importorskip('sybil', reason='the pages are read by Sybil, of requirements/docs.txt')

from snippets import Snippets

pytestmark = pytest.mark.slow
WITH_PYTHON = [page for page in PAGES if '```python' in page.read_text(encoding='utf-8')]
SKIPPED = re.compile(r'^<!---? skip: (.*?)-->', re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize('page', WITH_PYTHON, ids=name_of)
def test_snippets_do_what_they_say(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Snippets(page, tmp_path).run()


def test_few_snippets_are_left_out_and_each_says_why() -> None:
    skipped = {name_of(page): SKIPPED.findall(page.read_text(encoding='utf-8')) for page in PAGES}
    marks = [mark for found in skipped.values() for mark in found]
    assert len(marks) <= 3, skipped
    assert all(re.fullmatch(r'next "[^"]{15,}"\s*', mark) for mark in marks), skipped
