"""Which devices trainings run on, and how many at a time."""

import os
import subprocess
import sys

import torch

from mmdrl.errors import ConfigError


def places_for(device: str, jobs: int | None, threads: int, memory: float) -> list[int | None]:
    """A place for each training that runs at a time: as many as fit, unless so many are asked for.

    Args:
        device: ``'cpu'``, ``'cuda'``, or ``'auto'``: a GPU, if there is any.
        jobs: How many; ``None``: as the cores and the memory of the GPUs allow.
        threads: Of each.
        memory: GiB of a GPU that one takes.

    Raises:
        ConfigError: If there is no GPU, or not one fits.
    """
    cores = max(1, _cores() // threads)
    free = [] if device == 'cpu' else _free_memory()
    if device == 'cpu' or (device == 'auto' and not free):
        return [None] * (jobs or cores)
    if not free:
        raise ConfigError('Expected a GPU for --device cuda, torch finds none. Use --device cpu.')
    fitting = [gpu for turn in range(cores) for gpu, gibibytes in enumerate(free) if gibibytes >= memory * (turn + 1)]
    if jobs is not None:
        turns = fitting or range(len(free))
        return [turns[place % len(turns)] for place in range(jobs)]
    if not fitting:
        raise ConfigError(f'Expected {memory:g} GiB free on a GPU, got {max(free):.1f}. Free it, or lower --memory.')
    return list(fitting[:cores])


def _cores() -> int:
    """Cores that this process may use; a container or a job may have fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def _free_memory() -> list[float]:
    """GiB that are free on each GPU that this process may see, in the order of torch."""
    if not torch.cuda.is_available():
        return []
    asked = 'import torch; print(*(torch.cuda.mem_get_info(gpu)[0] for gpu in range(torch.cuda.device_count())))'
    # In a process of its own: to ask takes memory of every GPU until that process ends.
    told = subprocess.run([sys.executable, '-W', 'ignore', '-c', asked], capture_output=True, text=True, check=False)
    if told.returncode != 0:
        raise ConfigError(f'Expected torch to tell the free memory of the GPUs, got: {told.stderr[-500:]}')
    return [int(size) / 2**30 for size in told.stdout.split()]


def visible_device(gpu: int | None) -> str:
    """``CUDA_VISIBLE_DEVICES`` of a process that is to see one of the GPUs that this one sees, or none."""
    names = [name.strip() for name in os.environ.get('CUDA_VISIBLE_DEVICES', '').split(',') if name.strip()]
    return '' if gpu is None else names[gpu] if names else str(gpu)
