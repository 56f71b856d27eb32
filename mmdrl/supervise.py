"""Starts the processes of ``--gpus N`` on this machine, and stays with them until all have ended.

What it hears it passes on, so that a training can save and end in its own time. If a process fails, the others end too,
and if something from outside has ended it, the last line says what, and how to go on. ``torchrun`` does the same for
several machines, but gives processes half a minute to end and says less.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from types import FrameType

from mmdrl.first_failure import has_spoken
from mmdrl.started import STARTED

_LOOK = 0.1  # seconds between two looks at the processes
_PATIENCE = 20.0  # seconds that processes have to end when one has failed
_LAST_SIGNAL = 3  # how many in all until processes that do not end are killed
_PASSED_ON = [
    getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGHUP', 'SIGQUIT') if hasattr(signal, name)
]
_USUAL_CAUSE = {
    'SIGKILL': 'The system does that when memory runs out (its log, dmesg, then says so), a job system when time or '
    'memory does.',
    'SIGBUS': 'Shared memory (/dev/shm) or a disk may be full.',
    'SIGSEGV': 'That is a fault in compiled code, of a package or a driver.',
    'SIGABRT': 'That is a fault that compiled code has noticed: see above.',
}


def supervise(count: int, command: list[str]) -> int | str:
    """Run a command in several processes of one group until all have ended.

    Args:
        count: How many.
        command: A script and its arguments.

    Returns:
        Exit status: 0 if all have ended well, 128 plus the number of a signal that has ended the run, that of the first
        process that failed; or a sentence if something from outside ended that one.
    """
    from torch.distributed import PrefixStore, TCPStore

    port = int(os.environ.get('MASTER_PORT', 0))  # mim draws one
    try:
        store = TCPStore('127.0.0.1', port, is_master=True, wait_for_workers=False)
    except RuntimeError as error:
        return f'error: The processes cannot meet at port {port or "of this machine"}: {str(error).splitlines()[0]}'
    # As torchrun has it: the processes meet at a store that outlives each of them.
    meeting = dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(store.port), TORCHELASTIC_USE_AGENT_STORE='True')
    settings = {**os.environ, **meeting, 'TORCHELASTIC_RESTART_COUNT': '0'}
    settings |= dict(WORLD_SIZE=str(count), LOCAL_WORLD_SIZE=str(count), GROUP_RANK='0')
    processes: list[subprocess.Popen[bytes]] = []
    heard: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        _send(processes, number if len(heard) < _LAST_SIGNAL else signal.SIGKILL)

    for number in _PASSED_ON:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, pass_on)
    for rank in map(str, range(count)):
        if not heard:
            process = subprocess.Popen(
                [sys.executable, '-u', *command], env={**settings, 'RANK': rank, 'LOCAL_RANK': rank}
            )
            processes.append(process)
    while len(processes) == count and not _failed(processes) and None in [p.poll() for p in processes]:
        time.sleep(_LOOK)
    failed = _failed(processes)
    if any(status < 0 for status in failed.values()):
        has_spoken(PrefixStore('0', store))  # will have, at the end
    _end(processes)
    if len(processes) == count and all(process.returncode == 0 for process in processes):
        return 0  # also if a signal came that they did not have to hear any more
    return _outcome(failed, heard)


def _failed(processes: list[subprocess.Popen[bytes]]) -> dict[int, int]:
    """Statuses of those that have ended otherwise than well, by rank."""
    return {rank: status for rank, p in enumerate(processes) if (status := p.poll())}


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """End those that are still there, with force if they take too long."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        _send(processes, number)
        until = time.monotonic() + _PATIENCE
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(until - time.monotonic(), 0.0))


def _send(processes: list[subprocess.Popen[bytes]], number: int) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(number)


def _outcome(failed: dict[int, int], heard: list[int]) -> int | str:
    if heard:
        return next((status for status in failed.values() if status > 0), 128 + heard[-1])
    ended = {rank: status for rank, status in failed.items() if status < 0}
    if not ended:
        return next(iter(failed.values()), 0)
    rank, status = next(iter(ended.items()))
    name = signal.Signals(-status).name
    way_back = os.environ.get(STARTED, '')
    words = [
        f'error: Process {rank} of the run was ended from outside, by {name}.',
        _USUAL_CAUSE.get(name, ''),
        way_back,
    ]
    return ' '.join(word for word in words if word)


if __name__ == '__main__':
    try:
        sys.exit(supervise(int(sys.argv[1]), sys.argv[2:]))
    except KeyboardInterrupt:
        sys.exit(130)
