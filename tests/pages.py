"""The pages that people write, and their links."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
MADE = {'_build', 'reference', 'digits'}  # of docs/: by the build, and by the report
PAGES = sorted(
    [
        ROOT / 'README.md',
        ROOT / 'CONTRIBUTING.md',
        *(page for page in (ROOT / 'docs').rglob('*.md') if page.relative_to(ROOT / 'docs').parts[0] not in MADE),
        *(page for folder in ('configs', 'examples') for page in ROOT.glob(f'{folder}/*/*.md')),
    ]
)


def name_of(page: Path) -> str:
    """For the names of tests."""
    return page.relative_to(ROOT).as_posix()


def links(text: str) -> list[str]:
    """Addresses of links and images, without anchors."""
    return re.findall(r'\]\(([^)#\s]+)[^)]*\)', text)
