"""A page for each folder of configs: of every config its facts in the model index, and its text."""

from pathlib import Path
from typing import Any

import yaml

from .pages import Pages

ROOT = Path(__file__).parents[3]
INTRODUCTION = """\
# Configs

Every config of mmdrl with its text. `mim train mmdrl NAME.py` takes it by name, from any folder; a config of your own
inherits it by `_base_ = 'mmdrl::FOLDER/NAME.py'`. What was measured, and how, is in the tables of each set:
"""


def write(pages: Pages) -> None:
    """Write them, and a page that lists them."""
    folders = sorted(path.parent for path in (ROOT / 'configs').glob('*/metafile.yml'))
    listed = ''.join(f'- [](/reference/configs/{folder.name}.md)\n' for folder in folders)
    names = ''.join(f'configs/{folder.name}\n' for folder in folders)
    parts = '\n'.join(section(path) for path in sorted((ROOT / 'configs/_base_').rglob('*.py')))
    pages.write('configs.md', f'{INTRODUCTION}\n{listed}\n```{{toctree}}\n:hidden:\n\n{names}configs/base\n```\n')
    pages.write('configs/base.md', f'# Parts that configs inherit\n\n{parts}')
    for folder in folders:
        models = yaml.safe_load((folder / 'metafile.yml').read_text(encoding='utf-8'))['Models']
        sections = '\n'.join(section(ROOT / model['Config'], facts(model)) for model in models)
        title = models[0]['Metadata']['Training Data']
        link = f'Tables: [{folder.name}/README.md](/reference/files/configs/{folder.name}/README.md)'
        pages.write(f'configs/{folder.name}.md', f'# {title}\n\n{link}\n\n{sections}')


def section(path: Path, text: str = '') -> str:
    """Section of one config."""
    name = path.relative_to(ROOT / 'configs').as_posix()
    return f'## {name}\n\n{text}```python\n{path.read_text(encoding="utf-8")}```\n'


def facts(model: dict[str, Any]) -> str:
    """One line on a model of the index; accuracy only if it was measured."""
    about = model['Metadata']
    found = [
        ', '.join(about.get('Architecture', [])),
        f'{about["Epochs"]} epochs',
        f'batches of {about["Batch Size"]}',
        f'{about["Parameters"]:,} parameters',
        f'{about["FLOPs"] / 1e6:,.3g} M FLOPs per image',
    ]
    metrics = {name: value for result in model.get('Results', []) for name, value in result['Metrics'].items()}
    found += [f'{name} {value} %' for name, value in metrics.items()] or ['not measured yet']
    return ', '.join(part for part in found if part) + '\n\n'
