"""Several trainings at a time, until all are done or time is up."""

import os
import signal
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, NamedTuple

from mmdrl.errors import MMDRLError

from .plan import Cell

GRACE = 120.0  # seconds in which a training saves what it needs to go on; whatever runs on is killed


class Outcome(NamedTuple):
    """What has become of the cells.

    Attributes:
        done: Those that have ended now.
        stopped: Those that were broken off and go on when the command is given again, or were not begun.
        failed: What went wrong, by the name of the cell.
    """

    done: list[Cell]
    stopped: list[Cell]
    failed: dict[str, Exception]


class Processes:
    """Starts processes, and asks all of them to stop: each saves, so that it can go on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[Any]] = set()
        self.are_stopped = threading.Event()

    def start(self, command: Sequence[str], **settings: Any) -> subprocess.Popen[Any]:
        """``subprocess.Popen`` in a session of its own: Ctrl-C comes by :meth:`stop`, and once."""
        with self._lock:
            process: Any = subprocess.Popen(command, start_new_session=True, **settings)
            process.asked_to_stop = False
            self._running = {other for other in self._running if other.poll() is None} | {process}
        if self.are_stopped.is_set():
            self.stop()
        return process  # type: ignore[no-any-return]

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ask; what has not begun yet is asked when it does, and what has not ended in :data:`GRACE` is killed."""
        self.are_stopped.set()
        with self._lock:
            running = [process for process in self._running if process.poll() is None]
            for process in running:
                if number == signal.SIGKILL:
                    with suppress(ProcessLookupError):  # it has ended just now
                        os.killpg(process.pid, number)
                elif not process.asked_to_stop:  # type: ignore[attr-defined]
                    process.asked_to_stop = True  # type: ignore[attr-defined]
                    process.send_signal(number)  # alone: its helpers, such as those that compile, it needs to save
        if running and number != signal.SIGKILL:
            killing = threading.Timer(GRACE, self.stop, [signal.SIGKILL])
            killing.daemon = True
            killing.start()


def run_cells(
    cells: Sequence[Cell],
    train: Callable[[Cell, int | None, Callable[..., Any]], bool],
    places: Sequence[int | None],
    minutes: float | None,
    tell: Callable[[str], None],
) -> Outcome:
    """Train cells in their order, as many at a time as there are places.

    Args:
        cells: What to train.
        train: Trains a cell at a place with a function that starts processes; whether it has come to its end.
        places: Number of the GPU of each place, ``None``: the CPU.
        minutes: After which no training is begun, and those that run save and end; ``None``: no bound.
        tell: Takes a line for whoever watches.
    """
    processes, free = Processes(), SimpleQueue[int | None]()
    for place in places:
        free.put(place)
    outcome = Outcome([], [], {})
    lock = threading.Lock()

    def say(line: str) -> None:
        with lock:
            tell(line)

    def work(cell: Cell) -> None:
        if processes.are_stopped.is_set():
            outcome.stopped.append(cell)
            return
        place, began = free.get(), time.monotonic()
        try:
            say(f'{cell.name}: begun')
            ended = train(cell, place, processes.start)
        except Exception as error:  # whatever it is, the others go on
            outcome.failed[cell.name] = error
            say(f'{cell.name}: {error if isinstance(error, MMDRLError) else traceback.format_exc()}')
        else:
            (outcome.done if ended else outcome.stopped).append(cell)
            say(f'{cell.name}: {"done" if ended else "stopped"} after {(time.monotonic() - began) / 60:.1f} minutes')
        finally:
            free.put(place)

    timer = threading.Timer(minutes * 60, processes.stop) if minutes is not None else None
    with ThreadPoolExecutor(len(places)) as pool:
        waiting = [pool.submit(work, cell) for cell in cells]
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            for future in waiting:
                future.result()
        except BaseException:  # Ctrl-C: what runs saves first
            say('Stopping: what runs saves, and goes on when the command is given again.')
            processes.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        finally:
            if timer is not None:
                timer.cancel()
    return outcome
