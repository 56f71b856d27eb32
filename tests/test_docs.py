"""What the documents show can be copied: Python that parses, and links that lead somewhere."""

import ast
import re
from pathlib import Path

import pytest
from pages import PAGES, links, name_of

FENCE = re.compile(r'^(`{3,}).*?^\1\s*$', re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_python_parses_and_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding='utf-8')
    for block in re.findall(r'^```python\n(.*?)^```', text, re.MULTILINE | re.DOTALL):
        ast.parse(block)
    for link in links(FENCE.sub('', text)):
        assert '://' in link or (page.parent / link).exists(), link
