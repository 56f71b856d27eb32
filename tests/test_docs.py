"""What the documents show can be copied: Python that parses, and links that lead somewhere."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        ROOT / 'README.md',
        *(page for folder in ('docs', 'configs/*', 'examples/*') for page in ROOT.glob(f'{folder}/*.md')),
    ]
)


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_parses_and_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding='utf-8')
    for block in re.findall(r'^```python\n(.*?)^```', text, re.MULTILINE | re.DOTALL):
        ast.parse(block)
    for link in re.findall(r'\]\(([^)#]+)[^)]*\)', text):
        assert '://' in link or (page.parent / link).exists(), link
