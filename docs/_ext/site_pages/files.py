"""Copies of files outside ``docs/`` that pages link to, and the links that lead to the copies.

On a code host ``[rows](../configs/digits_lt/README.md)`` leads to the file; the site has no other files than its own,
so each file that is linked gets a page: a ``.md`` as it is, everything else as a block of code.
"""

import re
import shutil
from os.path import relpath
from pathlib import Path

from sphinx.application import Sphinx

from .pages import Pages

ROOT = Path(__file__).parents[3]
DOCS = ROOT / 'docs'
COPIES = 'reference/files'
FENCE = re.compile(r'^(`{3,}|~{3,}).*?^\1`*\s*$', re.MULTILINE | re.DOTALL)
LINK = re.compile(
    r'(?P<before>!?\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]\()(?P<target>[^)\s#:]+)(?P<rest>(?:#[^)\s]*)?\))'
)
LANGUAGES = {'.py': 'python', '.json': 'json', '.yml': 'yaml', '.toml': 'toml', '.sh': 'sh', '.cff': 'yaml'}


def write(pages: Pages, docs: Path) -> None:
    """Write copies of what the pages link to, and of what those link to in turn."""
    waiting = [path for page in sources(docs) for path in linked(page.read_text(encoding='utf-8'), page.parent)]
    waiting += [ROOT / 'configs' / path.name / 'README.md' for path in (ROOT / 'configs').glob('[a-z]*/')]
    done = set[Path]()
    while waiting:
        path = waiting.pop()
        if path in done or path.is_relative_to(docs) or not path.is_file():
            continue
        done.add(path)
        text = path.read_text(encoding='utf-8')
        if path.suffix == '.md':
            waiting += linked(text, path.parent)
        pages.write(f'files/{copy_name(path)}', copy_of(path, text))
    listed = ''.join(f'files/{copy_name(path)}\n' for path in sorted(done))
    text = '---\norphan: true\n---\n# Files\n\nFiles of the project that pages refer to.\n\n'
    pages.write('files.md', f'{text}```{{toctree}}\n:maxdepth: 1\n\n{listed}```\n')


def sources(docs: Path) -> list[Path]:
    """Pages that people write."""
    made = ('_build', '_ext', 'reference')
    return [path for path in docs.rglob('*.md') if path.relative_to(docs).parts[0] not in made]


def copy_name(path: Path) -> str:
    """Page of the copy, below ``docs/reference/files``."""
    name = path.relative_to(ROOT).as_posix()
    return name if path.suffix == '.md' else f'{name}.md'


def copy_of(path: Path, text: str) -> str:
    """Text of the page of a file."""
    if path.suffix == '.md':
        return rewritten(text, path.parent)
    fence = '`' * max(3, *(len(ticks) + 1 for ticks in re.findall('`{3,}', text) or ['']))
    return f'# {path.relative_to(ROOT).as_posix()}\n\n{fence}{LANGUAGES.get(path.suffix, "text")}\n{text}\n{fence}\n'


def linked(text: str, folder: Path) -> list[Path]:
    """Files of the project that a text links to."""
    found = (target_of(match['target'], folder) for match in LINK.finditer(FENCE.sub('', text)))
    return [path for path in found if path is not None]


def target_of(target: str, folder: Path) -> Path | None:
    """The file behind a relative link, the README of a folder; None if it is none of the project."""
    path = (folder / target).resolve()
    path = path / 'README.md' if path.is_dir() else path
    return path if path.is_relative_to(ROOT) and path.exists() else None


def rewritten(text: str, folder: Path) -> str:
    """``text``, lying in ``folder``, with links to pages of the site."""

    def lead(match: re.Match[str]) -> str:
        path = target_of(match['target'], folder)
        if path is None or match['target'].startswith('/'):
            return match[0]
        before, text = match['before'], match['before'][1:-2]
        if path.is_relative_to(DOCS) and path.suffix == '.html':  # a page of its own, copied as it is
            return f'<a href="{relpath(path, folder)}">{text}</a>'
        if path.is_relative_to(DOCS) and text == path.name and not match['rest'].startswith('#'):
            before = '[]('  # the title of the page says more than the name of its file
        if not path.is_relative_to(DOCS):
            return f'{before}/{COPIES}/{copy_name(path)}{match["rest"]}'
        target = match['target'] if folder.is_relative_to(DOCS) else f'/{path.relative_to(DOCS).as_posix()}'
        return f'{before}{target}{match["rest"]}'

    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [LINK.sub(lead, text[end : fence.start()]), fence[0]]
        end = fence.end()
    return ''.join([*parts, LINK.sub(lead, text[end:])])


def copy_whole_pages(app: Sphinx, error: Exception | None) -> None:
    """For Sphinx's ``build-finished``: reports, which are whole pages of HTML."""
    for path in (Path(app.srcdir) / 'digits').glob('*.html'):
        target = Path(app.outdir) / path.relative_to(app.srcdir)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)


def lead_to_copies(app: Sphinx, name: str, source: list[str]) -> None:
    """For Sphinx's ``source-read``: the links of a page."""
    path = Path(app.env.doc2path(name))
    if name.startswith('digits/'):  # made by the report, and linked to by the page on it
        source[0] = f'---\norphan: true\n---\n{source[0]}'
    if path.suffix == '.md' and not name.startswith('reference/'):
        source[0] = rewritten(source[0], path.parent)
