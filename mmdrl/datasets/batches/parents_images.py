"""Images that the training process has in memory, or mapped, as well as its workers: a worker need not send them.

A worker that fetches a batch hands over which rows it is of, and the training process takes them out of the very array.
For that the worker must know that its parent has the array: it says which process has made it.
"""

import os
from multiprocessing import parent_process
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import get_worker_info

from .image_batch import as_inputs


class KnownImages:
    """A column of images under a name that is known in the process that has made this, and in no other.

    Copies and what pickling gives have the same name; only the first one is known by it, with its images.

    Args:
        images: The column.
    """

    def __init__(self, images: Any):
        self.images = images
        self.name = uuid4().hex
        self.process = os.getpid()
        _KNOWN[self.name] = self

    def are_parents(self) -> bool:
        """Whether this process is a worker of the one that has made this, and so knows it."""
        parent = parent_process()
        return get_worker_info() is not None and parent is not None and parent.pid == self.process

    def named(self, rows: NDArray) -> 'NamedRows':
        """A batch of the images, by name."""
        return NamedRows(self.name, rows)

    def __deepcopy__(self, memo: dict[int, Any]) -> 'KnownImages':
        return self

    def __getstate__(self) -> dict[str, Any]:
        return dict(vars(self), images=None)


_KNOWN: WeakValueDictionary[str, KnownImages] = WeakValueDictionary()


class NamedRows:
    """Which images a batch is of; sent to the process that knows them it arrives as the batch itself.

    Args:
        name: Of the :class:`KnownImages`.
        rows: Shape ``(B,)``.
    """

    def __init__(self, name: str, rows: NDArray):
        self.name = name
        self.rows = rows

    def __reduce__(self) -> tuple[Any, ...]:
        return _taken, (self.name, self.rows)


def _taken(name: str, rows: NDArray) -> Tensor:
    from .fetch import gather

    return as_inputs(torch.from_numpy(gather(_KNOWN[name].images, rows)))
