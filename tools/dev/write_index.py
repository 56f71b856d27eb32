"""Write what is said of configs: ``configs/*/metafile.yml``, tables of ``configs/*/README.md``, ``model-index.yml``.

``python tools/dev/write_index.py`` writes, ``--check`` only says what is out of date and then ends with status 1.
"""

import argparse
import functools
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import mmengine.config.utils
from index_facts import ROOT, read_configs
from index_texts import metafile, model_index, with_table

from mmdrl.errors import ConfigError, MMDRLError


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true', help='write nothing; status 1 if something is out of date')
    return parser.parse_args()


def texts() -> dict[Path, str]:
    """Content of every file as it should be.

    Raises:
        ConfigError: If a config lacks what is said of it, or a folder a README with room for its table.
    """
    found = {}
    folders = {name: list(rows) for name, rows in groupby(read_configs(), lambda row: row.path.split('/')[1])}
    for name, rows in folders.items():
        folder = ROOT / 'configs' / name
        readme = folder / 'README.md'
        if not readme.is_file():
            raise ConfigError(f'{folder} has configs and no README.md. Write one, with the two marks of the table.')
        old = folder / 'metafile.yml'
        found[old] = metafile(name, rows, old.read_text() if old.is_file() else '')
        found[readme] = with_table(readme.read_text(), rows, str(readme))
    found[ROOT / 'model-index.yml'] = model_index(folders)
    return found


@contextmanager
def hushed() -> Iterator[None]:
    """Quick and quiet with the host, which is afterwards as it was."""
    load = mmengine.config.utils.load
    # For each part of MMPretrain that a config names, MMEngine reads all metafiles of MMPretrain.
    mmengine.config.utils.load = functools.cache(load)
    logging.disable(logging.WARNING)  # the counters of FLOPs name every module without an operator
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', 'pkg_resources is deprecated')  # at each config of MMPretrain
            yield
    finally:
        logging.disable(logging.NOTSET)
        mmengine.config.utils.load = load


def main(args: argparse.Namespace) -> None:
    """Compare, then write or say."""
    with hushed():
        found = texts()
    changed = {path: text for path, text in found.items() if not path.is_file() or path.read_text() != text}
    for path in changed:
        print(f'{"out of date" if args.check else "written"}: {path.relative_to(ROOT)}')
    if args.check and changed:
        sys.exit('error: the model index is out of date. Run python tools/dev/write_index.py')
    for path, text in {} if args.check else changed.items():
        path.write_text(text)


if __name__ == '__main__':
    try:
        main(parse_args())
    except MMDRLError as error:
        sys.exit(f'error: {error}')
