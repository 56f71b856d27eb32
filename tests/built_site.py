"""The documentation site, built once, and what its pages hold."""

import fcntl
import os
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]


def build(folder: Path) -> Path:
    """Build the site with warnings as errors; several processes of tests share one.

    Args:
        folder: Where it goes, and its lock.

    Returns:
        Folder of the pages.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pages, done = folder / 'html', folder / 'done'
    with (folder / 'lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            command = [sys.executable, '-W', 'ignore', '-m', 'sphinx', '-W', '--keep-going', '-q', '-b', 'html']
            environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
            answer = subprocess.run(
                [*command, '-d', folder / 'doctrees', ROOT / 'docs', pages],
                env=environment,
                capture_output=True,
                text=True,
                timeout=900,
            )
            done.write_text(answer.stderr if answer.returncode else '')
    assert not done.read_text(), done.read_text()
    return pages


@dataclass
class Content:
    """Anchors of a page, and what it refers to as ``(tag, address)``."""

    anchors: set[str] = field(default_factory=set)
    addresses: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.content = Content()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == 'id' and value:
                self.content.anchors.add(value)
            elif name in ('href', 'src') and value:
                self.content.addresses.append((tag, value))


def read(page: Path) -> Content:
    """Content of an HTML file."""
    reader = _Reader()
    reader.feed(page.read_text(encoding='utf-8'))
    return reader.content


def dead_links(folder: Path) -> list[str]:
    """Links of a site that lead to no file or anchor of it, and whatever it would load from elsewhere."""
    files = {os.path.normpath(path) for path in folder.rglob('*') if path.is_file()}
    contents = {page: read(Path(page)) for page in sorted(files) if page.endswith('.html')}
    return [
        f'{os.path.relpath(page, folder)}: <{tag}> {address}'
        for page, content in contents.items()
        for tag, address in content.addresses
        if is_dead(page, tag, address, contents, files)
    ]


def is_dead(page: str, tag: str, address: str, contents: dict[str, Content], files: set[str]) -> bool:
    """Whether an address on a page leads nowhere, or its tag loads it from elsewhere."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return tag != 'a' and parts.scheme != 'data'
    target = os.path.normpath(os.path.join(os.path.dirname(page), unquote(parts.path))) if parts.path else page
    if target not in files:
        return True
    anchors = contents[target].anchors if target in contents else None
    return bool(parts.fragment) and anchors is not None and unquote(parts.fragment) not in anchors
