"""Numbers of others, to stand beside ours, each with its source. None of them is measured here."""

from pathlib import Path
from typing import Any, NamedTuple

import yaml

FILE = Path(__file__).with_name('published.yaml')


class Published(NamedTuple):
    """What a paper reports of a row of a plan; accuracies in percent, those that are not known ``None``."""

    source: str
    all: float
    many: float | None = None
    medium: float | None = None
    few: float | None = None
    note: str = ''


def published(plan: str) -> dict[str, Published]:
    """Numbers for the rows of a plan, by the name of the row.

    Args:
        plan: Its name.
    """
    content: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(FILE.read_text(encoding='utf-8'))
    return {row: Published(**entry) for row, entry in content.get(plan, {}).items()}
