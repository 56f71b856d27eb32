"""Whether a process has asked all to stop, known to all of them at the same iteration.

A process hears a signal whenever it comes; if it stopped by itself, the others would wait for it for ever. So all ask
each other, by one number in a group of its own on the CPU: the accelerator is not waited for. Asked after one
iteration, the answer is read after the next, when it has been there for long.
"""

from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from mmengine.dist import get_world_size


class StopVote:
    """The greatest number that any process has given; all must make the same calls in the same order.

    Args:
        timeout: Seconds until a process that does not answer is given up.
    """

    def __init__(self, timeout: float):
        self._value = torch.zeros(1, dtype=torch.int32)
        self._pending: dist.Work | None = None
        self._group: Any = None
        if get_world_size() > 1:
            self._group = dist.new_group(backend='gloo', timeout=timedelta(seconds=timeout))

    def ask(self, number: int) -> None:
        """Give a number, and go on."""
        self._value.fill_(number)
        if self._group is not None:
            self._pending = dist.all_reduce(self._value, dist.ReduceOp.MAX, self._group, async_op=True)

    def answer(self) -> int:
        """What :meth:`ask` has come to; 0 if nothing was asked since the last answer."""
        if self._pending is not None:
            self._pending.wait()
        value, self._pending = int(self._value), None
        self._value.zero_()
        return value

    @property
    def is_asked(self) -> bool:
        """Whether an answer has not been read."""
        return self._pending is not None

    def now(self, number: int) -> int:
        """Ask and wait; nothing else may be asked."""
        self.ask(number)
        return self.answer()
