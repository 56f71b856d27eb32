"""Starts scripts as torchrun would, but by ``fork``: what they need is imported once, which takes most of their time.

Reads one JSON object per line, starts the processes that it asks for, and answers with one line: their exit statuses.
It ends at the line ``end``.

- ``script``, ``arguments``: what each process runs;
- ``count``: how many, who find each other through the environment, as those of torchrun do;
- ``cwd``, ``log``: their folder, and the file of all that they say;
- ``timeout``: seconds after which all are killed.
"""

import json
import os
import runpy
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import matplotlib.pyplot
import setuptools
import sklearn.datasets
import torch
from mmengine.config import Config
from mmpretrain.models import ImageClassifier

import mmdrl.engine.rebalance
import mmdrl.engine.run
import mmdrl.evaluation
import mmdrl.launch

IMPORTED = (matplotlib.pyplot, setuptools, sklearn.datasets, ImageClassifier, mmdrl)


def work(rank: int, port: int, job: dict[str, Any]) -> int:
    """What one process does; returns its status."""
    log = os.open(job['log'], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(job['cwd'])
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), RANK=str(rank), LOCAL_RANK=str(rank))
    os.environ.update(WORLD_SIZE=str(job['count']), LOCAL_WORLD_SIZE=str(job['count']))
    sys.argv = [job['script'], *job['arguments']]
    sys.path.insert(0, str(Path(job['script']).parent))
    try:
        runpy.run_path(job['script'], run_name='__main__')
        return 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def start(rank: int, port: int, job: dict[str, Any]) -> int:
    """Fork a process; returns its number."""
    number = os.fork()
    if number == 0:
        status = 1
        try:
            os.setpgrp()
            status = work(rank, port, job)
        finally:
            os._exit(status)
    return number


def statuses_of(numbers: list[int], timeout: float) -> list[int]:
    """Wait for all; at the timeout, or a moment after one has failed, the others are killed."""
    found: dict[int, int] = {}
    end = time.monotonic() + timeout
    while len(found) < len(numbers):
        for number in set(numbers) - set(found):
            done, status = os.waitpid(number, os.WNOHANG)
            if done:
                found[number] = os.waitstatus_to_exitcode(status)
                if found[number] != 0:
                    end = min(end, time.monotonic() + 15)
        if time.monotonic() > end:
            for number in set(numbers) - set(found):
                os.killpg(number, signal.SIGKILL)  # and what they have forked
            end = float('inf')
        time.sleep(0.01)
    return [found[number] for number in numbers]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as place:
        place.bind(('127.0.0.1', 0))
        return int(place.getsockname()[1])


if __name__ == '__main__':
    torch.set_num_threads(1)
    # MMEngine lays the config out by yapf for every checkpoint, most of the time that short runs would take.
    Config.pretty_text = property(lambda self: str(self.to_dict()))
    for line in sys.stdin:
        if line == 'end\n':
            break
        job = json.loads(line)
        port = free_port()
        numbers = [start(rank, port, job) for rank in range(job['count'])]
        print(json.dumps(statuses_of(numbers, job['timeout'])), flush=True)
