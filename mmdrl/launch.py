"""From ``--gpus N`` to N processes on the right device.

mim's default launcher starts one process whatever ``--gpus`` says. The tools therefore start the others
themselves, through :mod:`mmdrl.supervise`. This module imports torch only when it has to.
"""

import gc
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import timedelta
from types import FrameType

from mmdrl.errors import LaunchError
from mmdrl.first_failure import has_meeting_place, open_meeting_place
from mmdrl.started import STARTED, TIMEOUT, resume_command

_ONE_INTERRUPT = 5.0  # seconds in which it may be repeated


def num_processes(gpus: int | None, device: str | None) -> int:
    """How many processes a command asks for; also hides the GPUs from a run on the CPU.

    Call it before torch touches a GPU.

    Args:
        gpus: What ``--gpus`` says; 0 means the CPU, ``None`` one process on what there is.
        device: What ``--device`` says: ``'cpu'``, ``'cuda'`` or ``None``.

    Returns:
        Number of processes, at least 1.

    Raises:
        LaunchError: If the machine has fewer GPUs than asked for.
    """
    if gpus is not None and gpus < 0:
        raise LaunchError(f'--gpus must not be negative, got {gpus}. Use --gpus 0 for the CPU.')
    if device == 'cpu' or (gpus == 0 and device is None):
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
        return max(gpus or 1, 1)
    wanted = gpus if gpus is not None else int(device == 'cuda')
    if wanted:
        from torch.cuda import device_count

        if wanted > device_count():
            raise LaunchError(
                f'Expected {wanted} GPU{"s" * (wanted > 1)} for --gpus {wanted}, this machine has {device_count()}. '
                f'Use --gpus 0 for the CPU, or --gpus {wanted} --device cpu for {wanted} '
                f'CPU process{"es" * (wanted > 1)}.'
            )
    if gpus == 0:
        raise LaunchError('--gpus 0 means the CPU, but --device says cuda. Leave one of them out.')
    return max(wanted, 1)


def check_device(device: str | None) -> None:
    """Raise LaunchError if a tool is to run on a GPU and there is none.

    Args:
        device: ``'cpu'``, ``'cuda'``, or ``None`` for what there is.
    """
    if device != 'cuda':
        return
    import torch

    if not torch.cuda.is_available():
        raise LaunchError('Expected a GPU for --device cuda, this machine has none. Leave --device out.')


def start(gpus: int | None, device: str | None, launcher: str, can_resume: bool = False) -> None:
    """Make this the right number of processes on the right device, whoever started it.

    With launcher ``'none'`` and more than one process wanted, the command is replaced by its own processes
    and does not return.

    Args:
        gpus: What ``--gpus`` says.
        device: What ``--device`` says.
        launcher: What ``--launcher`` says: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        can_resume: Whether the command takes ``--resume``.

    Raises:
        LaunchError: If this machine cannot run that.
    """
    if launcher == 'none':
        if int(os.environ.get('WORLD_SIZE', 1)) > 1 and 'RANK' in os.environ:
            raise LaunchError(
                f'This is one of {os.environ["WORLD_SIZE"]} processes that torchrun or its like has started, which '
                '--launcher none would let train side by side. Add --launcher pytorch.'
            )
        count = num_processes(gpus, device)
        if count > 1:
            _replace_by_processes(count, can_resume)
        return
    if launcher == 'pytorch' and 'RANK' not in os.environ:
        raise LaunchError(
            '--launcher pytorch is for processes that torchrun has started, and this is none. Leave it out: --gpus N '
            'starts N processes.'
        )
    if launcher == 'slurm':
        _read_slurm()
    if device == 'cpu' or gpus == 0:
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    import torch

    if torch.cuda.is_available():
        return
    if launcher == 'mpi':
        raise LaunchError(
            f'--launcher {launcher} needs a GPU for every process, this machine has none. Use --gpus N --device cpu.'
        )
    # MMEngine asks for a GPU whatever the backend, unless the group exists.
    timeout = timedelta(seconds=TIMEOUT)
    if not has_meeting_place():
        torch.distributed.init_process_group('gloo', timeout=timeout)
        return
    # Left to itself, torch takes from this store the addresses of processes that there were before a restart.
    store = torch.distributed.PrefixStore('group', open_meeting_place(timeout))
    rank, count = int(os.environ['RANK']), int(os.environ['WORLD_SIZE'])
    torch.distributed.init_process_group('gloo', store=store, rank=rank, world_size=count, timeout=timeout)


def finish() -> None:
    """Let go of the other processes, if there are any; call it when nothing uses the model any more.

    The threads of gloo end with the last object that knows the process group, the wrapper of the model among them.
    One that still runs when Python shuts down can abort the process, and a finished run would count as failed.
    """
    if 'torch' not in sys.modules:
        return
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        gc.collect()  # a runner and its hooks refer to each other
        torch.distributed.destroy_process_group()


def hear_first_interrupt() -> None:
    """Let one Ctrl-C be one: what has started the processes sends it again to those that the terminal has told."""
    heard = -_ONE_INTERRUPT

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        if time.monotonic() - heard >= _ONE_INTERRUPT:
            heard = time.monotonic()
            raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, stop)


def end_with_launcher() -> None:
    """Have the system send SIGTERM to this process if the one that started it goes without a word (Linux)."""
    with suppress(OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _read_slurm() -> None:
    """Tell a process that srun has started who it is as torchrun would; MMEngine does it for those with GPUs alone.

    Raises:
        LaunchError: If srun has not started it, or the hosts cannot be told.
    """
    names = dict(RANK='SLURM_PROCID', WORLD_SIZE='SLURM_NTASKS', LOCAL_RANK='SLURM_LOCALID')
    missing = [name for name in (*names.values(), 'SLURM_NODELIST') if name not in os.environ]
    if missing:
        raise LaunchError(
            f'--launcher slurm is for processes that srun has started, and this is none: {", ".join(missing)} is not '
            'set. Start it by srun, or leave --launcher out: --gpus N starts N processes.'
        )
    if 'MASTER_ADDR' not in os.environ:
        hosts = os.environ['SLURM_NODELIST']
        try:
            command = ['scontrol', 'show', 'hostnames', hosts]
            told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
            os.environ['MASTER_ADDR'] = told[0]
        except (OSError, subprocess.SubprocessError, IndexError) as error:
            raise LaunchError(
                f'Expected scontrol to tell the first host of {hosts}, which fails: {error}. Set MASTER_ADDR to it.'
            ) from error
    os.environ.setdefault('MASTER_PORT', '29500')  # as MMEngine has it
    os.environ.update({name: os.environ[source] for name, source in names.items()})


def _replace_by_processes(count: int, can_resume: bool) -> None:
    os.environ.pop('LOCAL_RANK', None)
    os.environ.setdefault('OMP_NUM_THREADS', str(max((os.cpu_count() or 1) // count, 1)))
    os.environ.setdefault('MKL_NUM_THREADS', os.environ['OMP_NUM_THREADS'])  # or MMEngine warns in each process
    way_back = f'If the run has saved a checkpoint, it goes on with: {resume_command(sys.argv)}'
    os.environ[STARTED] = way_back if can_resume else ''
    sys.stdout.flush()
    command = [sys.executable, '-m', 'mmdrl.supervise', str(count), *sys.argv, '--launcher', 'pytorch']
    os.execv(sys.executable, command)
