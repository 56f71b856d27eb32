"""Writing figures, each whole or not at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mmdrl.datasets.preparation import disk_errors, new_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ('png', 'svg', 'pdf')


def write_figures(figures: Mapping[str, 'Figure'], folder: str | Path, kind: str = 'png', dpi: int = 120) -> list[Path]:
    """Paths of the files, one per figure under its name.

    Args:
        figures: By name without extension.
        folder: Made if need be.
        kind: One of ``FORMATS``. The same figure gives the same bytes.
        dpi: Dots per inch of a PNG.

    Raises:
        DataError: If the disk or the rights do not allow it.
    """
    from matplotlib import rc_context  # late, as in mmdrl.visualization

    folder = Path(folder)
    paths = []
    with disk_errors(f'Writing figures into {folder}'):
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            path = folder / f'{name}.{kind}'
            with new_file(path) as stream:
                # The time of writing, or names drawn by chance, would make the same figure another file.
                date = {'svg': {'Date': None}, 'pdf': {'CreationDate': None}}.get(kind, {})
                with rc_context({'svg.hashsalt': name}):
                    figure.savefig(stream, format=kind, dpi=dpi, metadata=date)
            paths.append(path)
    return paths
