"""Checkpoints are read as data, never run, whoever reads them.

``torch.load`` runs what a file asks for unless it is told ``weights_only=True``, and much of what reads a checkpoint
here is code of the host: MMEngine downloads without it, its fork goes on without it where it fails. Torch has a switch
in the environment that overrides them all, and one that does the opposite. This file sets the first.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_ON = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
_OFF = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'


def insist() -> None:
    """Have ``torch.load`` take data alone in this process and those it starts; for tools, at their start."""
    taken = os.environ.pop(_OFF, '')
    os.environ[_ON] = '1'
    if taken.lower() not in ('', '0', 'false', 'n', 'no') and os.environ.get('RANK', '0') == '0':
        print(f'{_OFF}={taken} is left aside: checkpoints are read as data alone.', file=sys.stderr)


@contextmanager
def data_only() -> Iterator[None]:
    """Have ``torch.load`` take data alone in a block, other threads included."""
    before = {name: os.environ.pop(name, None) for name in (_ON, _OFF)}
    os.environ[_ON] = '1'
    try:
        yield
    finally:
        os.environ.pop(_ON)
        os.environ.update({name: value for name, value in before.items() if value is not None})
