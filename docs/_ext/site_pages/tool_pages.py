"""One page with what ``-h`` of every tool prints; tools answer it before they import torch."""

import os
import subprocess
import sys
from pathlib import Path

from .pages import Pages

ROOT = Path(__file__).parents[3]


def tools() -> list[Path]:
    """Programs in ``tools/``: those with a command line."""
    return sorted(path for path in (ROOT / 'tools').glob('**/*.py') if "__name__ == '__main__'" in path.read_text())


def help_of(path: Path) -> str:
    """What the tool prints when asked for help, at most 88 columns wide."""
    environment = {**os.environ, 'COLUMNS': '88', 'NO_COLOR': '1', 'PYTHONWARNINGS': 'ignore'}
    command = [sys.executable, str(path), '-h']
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=120)
    if answer.returncode:
        raise RuntimeError(f'{path.relative_to(ROOT)} -h ended with status {answer.returncode}: {answer.stderr}')
    return answer.stdout


def write(pages: Pages) -> None:
    """Write it."""
    text = '# Tools\n\nEvery program of mmdrl, as it describes itself. In an installed package `mim run mmdrl NAME` '
    text += 'finds the same; those in `tools/dev` come with the checkout only.\n'
    for path in tools():
        name = path.relative_to(ROOT).as_posix()
        text += f'\n## {name}\n\n```text\n$ python {name} -h\n{help_of(path)}```\n'
    pages.write('tools.md', text)
