"""Make the pictures of the documentation, ``docs/images/*.png``, with the functions of mmdrl itself.

``python tools/dev/docs_figures.py`` makes all of them, ``... worst_case`` some. ``feature_space`` and
``uncertain_centroid`` need the digits trained with two features, two runs of half a minute each on one core; they stay
in ``work_dirs/docs_figures`` and are not repeated. The others take seconds.
"""

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

from figures_of_balls import loss_and_radius, violations, worst_case
from figures_of_digits import digits_seeds, feature_space, long_tail, uncertain_centroid
from matplotlib.figure import Figure

from mmdrl.errors import MMDRLError

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / 'benchmarks'))
scaling: Callable[[], Figure] = importlib.import_module('scaling_figure').scaling

FIGURES: dict[str, Callable[[], Figure]] = {
    figure.__name__: figure
    for figure in (
        long_tail,
        uncertain_centroid,
        worst_case,
        loss_and_radius,
        violations,
        feature_space,
        digits_seeds,
        scaling,
    )
}


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', metavar='NAME', help=f'of {", ".join(FIGURES)}; all if none is given')
    parser.add_argument('--out', type=Path, default=ROOT / 'docs' / 'images', help='folder (default: docs/images)')
    args = parser.parse_args()
    if unknown := [name for name in args.names if name not in FIGURES]:
        parser.error(f'expected names of {", ".join(FIGURES)}, got {", ".join(unknown)}')
    return args


def main(args: argparse.Namespace) -> None:
    """Draw, then save."""
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.names or FIGURES:
        path = args.out / f'{name}.png'
        FIGURES[name]().savefig(path, dpi=110, facecolor='white', metadata={'Software': None})
        print(f'{path} ({path.stat().st_size / 1024:.0f} KiB)')


if __name__ == '__main__':
    try:
        main(parse_args())
    except MMDRLError as error:
        sys.exit(f'error: {error}')
