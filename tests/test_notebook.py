"""The notebook as it is stored: without outputs, and in the order of its cells. ``test_docs_site.py`` runs it."""

import ast
import json
from pathlib import Path
from typing import Any

from pages import links

NOTEBOOK = Path(__file__).parents[1] / 'docs/notebooks/digits.ipynb'


def cells(kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(NOTEBOOK.read_text(encoding='utf-8'))['cells'] if cell['cell_type'] == kind]


def test_no_output_is_stored() -> None:
    assert all(not cell['outputs'] and cell['execution_count'] is None for cell in cells('code'))
    assert all(cell['metadata'] == {} for cell in cells('code'))


def test_code_parses() -> None:
    for cell in cells('code'):
        source = [line for line in ''.join(cell['source']).splitlines() if not line.startswith('%')]
        ast.parse('\n'.join(source))


def test_links_lead_somewhere() -> None:
    for cell in cells('markdown'):
        for link in links(''.join(cell['source'])):
            assert '://' in link or (NOTEBOOK.parent / link).exists(), link
