"""A folder of generated pages: what has not changed keeps its date, so that Sphinx does not read it again."""

from pathlib import Path


class Pages:
    """Writes pages below a folder and remembers which.

    Args:
        folder: Where they go; whatever else lies there is deleted by :meth:`delete_others`.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._written: set[Path] = set()

    def write(self, name: str, text: str) -> None:
        """Write the page ``name``, such as ``losses/DRLoss.rst``, unless it is there already."""
        path = self.folder / name
        self._written.add(path)
        if path.exists() and path.read_text(encoding='utf-8') == text:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')

    def delete_others(self) -> None:
        """Delete pages of what no longer exists."""
        for path in self.folder.rglob('*'):
            if path.is_file() and path not in self._written:
                path.unlink()


def heading(text: str) -> str:
    """Title of a page in reStructuredText."""
    return f'{text}\n{"=" * len(text)}\n\n'
