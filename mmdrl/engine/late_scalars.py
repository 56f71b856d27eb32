"""Values of a training log that stay on their device until somebody looks at them.

MMEngine's message hub reads every value when it is logged, which waits for the device at every iteration. Here a value
goes into a small tensor on the device instead, and the history of its name reads all that wait, of all names at once,
when it is next looked at: by a log line, a hook, or a checkpoint. So nobody has to be told, and nobody reads too early.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from numpy.typing import NDArray
from torch import Tensor

MOST = 1000  # calls whose values wait at most, if nobody looks

_Kind = tuple[torch.device, torch.dtype]
_NONE = np.array([], dtype=bool)  # what is appended decides the type, as it does for MMEngine's first value


class LateHistory(HistoryBuffer):
    """History of one name, brought up to date when it is looked at; its copies are of MMEngine's own class.

    Args:
        scalars: Those that wait.
        known: What has been read so far.
    """

    def __init__(self, scalars: 'LateScalars', known: HistoryBuffer | None = None):
        super().__init__()
        self.scalars = scalars
        self._values, self._counts = _NONE, _NONE
        if known is not None:
            self.max_length, (self._values, self._counts) = known.max_length, known.data

    def extend(self, values: list[float]) -> None:
        """Add values that have been read, each counted once."""
        self._values = np.append(self._values, values)[-self.max_length :]
        self._counts = np.append(self._counts, [1] * len(values))[-self.max_length :]

    @property
    def _log_history(self) -> NDArray[Any]:  # what the methods of MMEngine's class look at
        self.scalars.read()
        return self._values

    @_log_history.setter
    def _log_history(self, values: NDArray[Any]) -> None:
        self._values = values

    @property
    def _count_history(self) -> NDArray[Any]:
        self.scalars.read()
        return self._counts

    @_count_history.setter
    def _count_history(self, counts: NDArray[Any]) -> None:
        self._counts = counts

    def __reduce_ex__(self, protocol: Any) -> Any:
        plain = HistoryBuffer(max_length=self.max_length)
        plain._log_history, plain._count_history = self.data
        return plain.__reduce_ex__(protocol)


class LateScalars:
    """Scalars of one message hub that have been logged and not read.

    Args:
        histories: Of the hub, by name.
    """

    def __init__(self, histories: dict[str, HistoryBuffer]):
        self.histories = histories
        self._waiting: list[tuple[list[LateHistory], Tensor | list[float]]] = []  # in the order of logging

    def add(self, numbers: Mapping[str, float], tensors: Mapping[str, Tensor]) -> None:
        """Log numbers, and tensors of one number each; nothing is read, unless nobody has for long."""
        if numbers:
            self._waiting.append(([self._history(name) for name in numbers], list(numbers.values())))
        kinds: dict[_Kind, dict[str, Tensor]] = defaultdict(dict)
        for name, value in tensors.items():
            kinds[value.device, value.dtype][name] = value.detach().reshape(())
        for scalars in kinds.values():
            # A copy: what is computed on in place, or lies in the memory of a CUDA graph, changes before it is read.
            values = torch.stack(list(scalars.values()))
            self._waiting.append(([self._history(name) for name in scalars], values))
        if len(self._waiting) >= MOST:
            self.read()

    def read(self) -> None:
        """Bring all histories up to date; waits once for each device and type."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        kinds: dict[_Kind, list[Tensor]] = defaultdict(list)
        for _, values in waiting:
            if isinstance(values, Tensor):
                kinds[values.device, values.dtype].append(values)
        numbers = {kind: iter(torch.cat(parts).tolist()) for kind, parts in kinds.items()}
        found: dict[LateHistory, list[float]] = defaultdict(list)
        for histories, values in waiting:
            source = numbers[values.device, values.dtype] if isinstance(values, Tensor) else iter(values)
            for history in histories:
                found[history].append(next(source))
        for history, read in found.items():
            history.extend(read)

    def _history(self, name: str) -> LateHistory:
        known = self.histories.get(name)
        if not isinstance(known, LateHistory) or known.scalars is not self:
            known = self.histories[name] = LateHistory(self, known)
        return known


_OF_HUB: 'WeakKeyDictionary[MessageHub, LateScalars]' = WeakKeyDictionary()


def log_later(hub: MessageHub, scalars: Mapping[str, Any]) -> None:
    """Log one number under each name, as ``hub.update_scalar`` does, without waiting for a device.

    Args:
        hub: Of the run.
        scalars: Such as ``{'train/loss': loss}``.
    """
    histories = cast(dict[str, HistoryBuffer], hub.log_scalars)
    late = _OF_HUB.get(hub)
    if late is None or late.histories is not histories:  # another dict, if a whole hub has been loaded
        late = _OF_HUB[hub] = LateScalars(histories)
    tensors = {name: value for name, value in scalars.items() if _is_on_device(value)}
    numbers = {name: hub._get_valid_value(value) for name, value in scalars.items() if name not in tensors}
    for name in scalars:
        hub._set_resumed_keys(name, True)
        if name not in histories:  # in this order, whatever kind of value they have
            histories[name] = LateHistory(late)
    late.add(numbers, tensors)


def _is_on_device(value: Any) -> bool:
    """Whether reading it would wait."""
    return isinstance(value, Tensor) and value.device.type != 'cpu' and value.numel() == 1
