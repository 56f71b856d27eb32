"""Sentences in place of the errors that a process that has gone, or does not answer, leaves in another one."""

import re
import time
import traceback
from datetime import timedelta
from typing import Any

import torch.distributed as dist
from mmengine.dist import get_world_size

from mmdrl.errors import ProcessError
from mmdrl.started import TIMEOUT

_WORKER = re.compile(r'DataLoader worker \(pid\(?s?\)? [\d, ]+\) (?:is killed by signal: ([^.]+)|exited unexpectedly)')
_GONE = re.compile(
    r'Connection (closed|reset) by peer|Connection refused|Broken pipe|Socket closed|socket (was|is) closed'
    r'|remote process (exited|terminated)|NCCL (communicator was aborted|error)|Failed to recv, got 0 bytes'
)
_FETCHING = 'resource_sharer.py'  # of multiprocessing: a batch that a worker has announced is fetched from it
_TOLD = 1.0  # seconds in which the system tells that a worker has ended, of which torch makes an error
_SILENT = re.compile(r'[Tt]imed out|[Tt]imeout|wait timeout')
_WORKER_HINT = {
    'Killed': 'The system does that when memory runs out (its log, dmesg, then says so): set '
    'train_dataloader.num_workers lower, or batch_size.',
    'Bus error': 'Shared memory (/dev/shm) is full: make it larger (docker run --shm-size=8g), or set '
    'train_dataloader.num_workers lower, or batch_size.',
}


class FollowingError(ProcessError):
    """Another process of the run has gone or does not answer, which has a reason of its own."""

    follows = True  # the tools let that one speak


def tell_gone_process(error: BaseException) -> None:
    """Raise a sentence if the error, or one that it came of, is that of a process that has gone or does not answer.

    Args:
        error: MMEngine makes a SyntaxError of anything that is raised while it lays a config out for a checkpoint.

    Raises:
        ProcessError: The sentence.
    """
    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, RuntimeError) and (sentence := _sentence(str(behind))):
            raise sentence from error
        if isinstance(behind, (OSError, EOFError)) and _is_of_worker(behind):
            raise _after_worker() from error
        behind = behind.__context__


def _is_of_worker(error: BaseException) -> bool:
    """Whether it is that of a batch whose worker has gone since it announced it."""
    calls = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_filename.endswith(_FETCHING) for frame, _ in calls)


def _after_worker() -> ProcessError:
    """The sentence, with what has ended the worker if torch says so; later it would break into what is said."""
    message = 'DataLoader worker (pid 0) exited unexpectedly'
    try:
        time.sleep(_TOLD)
    except RuntimeError as told:
        message = str(told)
    return _sentence(message) or ProcessError(message)


def _sentence(message: str) -> ProcessError | None:
    worker = _WORKER.search(message)
    if worker:
        what = f'was ended from outside ({worker[1]})' if worker[1] else 'has ended unexpectedly'
        hint = _WORKER_HINT.get(
            worker[1] or '', 'See above for what it may have said, and set num_workers=0 to see it.'
        )
        return ProcessError(f'A worker of a data loader {what}. {hint}')
    if get_world_size() == 1:
        return None
    if _GONE.search(message):
        return FollowingError(
            'Another process of the run has gone, so this one ends, too. Its own message, or that of what has started '
            'it, says why.'
        )
    if _SILENT.search(message):
        return FollowingError(
            'Another process of the run has not answered in time, so this one ends. It hangs, has been stopped, or is '
            'much slower: env_cfg.dist_cfg.timeout is how many seconds processes wait for each other.'
        )
    return None


def waiting_time(cfg: Any) -> float:
    """Seconds until a process gives the others up: ``env_cfg.dist_cfg.timeout``, or 10 minutes."""
    seconds = ((cfg.get('env_cfg') or {}).get('dist_cfg') or {}).get('timeout')
    return TIMEOUT if seconds is None else float(seconds)


def set_waiting_time(cfg: Any) -> None:
    """Let it hold for processes on the CPU, which have met before the config was read; MMEngine sees to others."""
    if dist.is_available() and dist.is_initialized() and dist.get_backend() == 'gloo':
        settle: Any = getattr(dist, 'set_timeout', None)  # torch 2.15 has it
        if settle is None:
            from torch.distributed.distributed_c10d import _set_pg_timeout

            settle = _set_pg_timeout
        settle(timedelta(seconds=waiting_time(cfg)))
