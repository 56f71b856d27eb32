"""A report as files: one HTML page that needs nothing beside it, and the same as Markdown with its figures."""

import base64
import itertools
import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mmdrl.datasets.preparation import disk_errors
from mmdrl.engine.run_record import read_run
from mmdrl.engine.workshops import workshop
from mmdrl.errors import DataError
from mmdrl.version import __version__

from .content import Content, report_content

PAGE, TEXT, FIGURES = 'report.html', 'report.md', 'figures'
_TEMPLATES = 'mmdrl.engine.report'


def write_report(runs: Sequence[str | Path], folder: str | Path, title: str | None = None) -> Path:
    """Path of the page; beside it ``report.md`` and ``figures``. Whole or not at all.

    Args:
        runs: Work folders; the first one's group is what the others are compared with.
        folder: Where the report goes, in place of an earlier one.
        title: Heading of the page.

    Raises:
        DataError: If a folder is no run, its files are damaged, the folder holds something else than a report, or the
            disk refuses.
    """
    folder = Path(folder)
    check_folder(folder)
    distinct = {Path(run).resolve(): run for run in runs}
    content = report_content([read_run(run) for run in distinct.values()], title)
    page, text = render(content)
    with disk_errors(f'Writing the report into {folder}'):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with workshop(folder.parent, f'.{folder.name}-') as aside:
            new = aside / 'new'
            (new / FIGURES).mkdir(parents=True)
            (new / PAGE).write_text(page, encoding='utf-8')
            (new / TEXT).write_text(text, encoding='utf-8')
            for picture in content.pictures:
                (new / FIGURES / f'{picture.name}.png').write_bytes(picture.content)
            _swap(new, folder, aside / 'old')
    return folder / PAGE


def check_folder(folder: Path) -> None:
    """Nothing but an earlier report may be overwritten.

    Raises:
        DataError: If there is something else.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f'Expected a folder for the report, got the file {folder}. Give another one.')
    entries = [path for path in folder.rglob('*') if path != folder / FIGURES] if folder.is_dir() else []
    own = {folder / PAGE, folder / TEXT}
    foreign = [
        path for path in entries if path not in own and (path.parent != folder / FIGURES or path.suffix != '.png')
    ]
    if foreign:
        raise DataError(
            f'Expected a new folder for the report, or that of an earlier one, but {folder} also holds '
            f'{sorted(foreign)[0].relative_to(folder)}. Give another one.'
        )


def render(content: Content) -> tuple[str, str]:
    """The page and the Markdown."""
    settings: dict[str, Any] = dict(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    loader = PackageLoader(_TEMPLATES)
    html = Environment(loader=loader, autoescape=True, **settings)
    html.filters['base64'] = lambda data: base64.b64encode(data).decode()
    numbers = itertools.count(1)
    html.globals['anchor'] = lambda: f'table{next(numbers)}'
    markdown = Environment(loader=loader, autoescape=False, **settings)
    markdown.filters.update(text=plain_markdown, cell=table_cell, fenced=fenced)
    values = dict(content=content, version=__version__)
    style = Markup(loader.get_source(html, 'report.css')[0].strip())
    page = html.get_template('report.html.j2').render(style=style, **values).lstrip() + '\n'
    text = re.sub(r'\n{3,}', '\n\n', markdown.get_template('report.md.j2').render(**values)).strip() + '\n'
    return page, text


def plain_markdown(text: object) -> str:
    """Text that stays what it is: no markup, no tag, no link, no line of its own."""
    flat = ' '.join(str(text).split())
    return re.sub(r'([\\`*_\[\]<>|#~$])', r'\\\1', flat).replace('&', '&amp;')


def table_cell(text: object) -> str:
    """The same for a cell of a table."""
    return plain_markdown(text)


def fenced(lines: Sequence[str], language: str) -> str:
    """Lines in a fence that none of them closes."""
    longest = max((len(found) for line in lines for found in re.findall('`+', line)), default=0)
    fence = '`' * max(3, longest + 1)
    return '\n'.join([f'{fence}{language}', *lines, fence])


def _swap(new: Path, folder: Path, old: Path) -> None:
    """Put the new folder in the place of the old one; if that fails, the old one is back."""
    if not folder.exists():
        os.rename(new, folder)
        return
    os.rename(folder, old)
    try:
        os.rename(new, folder)
    except OSError:
        os.rename(old, folder)
        raise
    with suppress(OSError):
        shutil.rmtree(old)
