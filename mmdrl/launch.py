"""From ``--gpus N`` to N processes on the right device.

mim's default launcher starts one process whatever ``--gpus`` says. The tools therefore start the others
themselves, through ``torch.distributed.run``. This module imports torch only when it has to.
"""

import gc
import os
import sys

from mmdrl.errors import LaunchError


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


def start(gpus: int | None, device: str | None, launcher: str) -> None:
    """Make this the right number of processes on the right device, whoever started it.

    With launcher ``'none'`` and more than one process wanted, the command is replaced by its own processes
    and does not return.

    Args:
        gpus: What ``--gpus`` says.
        device: What ``--device`` says.
        launcher: What ``--launcher`` says: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.

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
            _replace_by_processes(count)
        return
    if launcher == 'pytorch' and 'RANK' not in os.environ:
        raise LaunchError(
            '--launcher pytorch is for processes that torchrun has started, and this is none. Leave it out: --gpus N '
            'starts N processes.'
        )
    if device == 'cpu' or gpus == 0:
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    import torch

    if torch.cuda.is_available():
        return
    if launcher != 'pytorch':
        raise LaunchError(
            f'--launcher {launcher} needs a GPU for every process, this machine has none. Use --gpus N --device cpu.'
        )
    # MMEngine asks for a GPU whatever the backend, unless the group exists.
    torch.distributed.init_process_group('gloo')


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


def _replace_by_processes(count: int) -> None:
    os.environ.pop('LOCAL_RANK', None)
    os.environ.setdefault('OMP_NUM_THREADS', str(max((os.cpu_count() or 1) // count, 1)))
    port = os.environ.get('MASTER_PORT')  # mim draws one
    rendezvous = ['--master-port', port] if port else ['--standalone']
    command = [sys.executable, '-m', 'mmdrl.launch', '--nnodes=1', f'--nproc-per-node={count}']
    sys.stdout.flush()
    os.execv(sys.executable, [*command, *rendezvous, *sys.argv, '--launcher', 'pytorch'])


def _main() -> None:
    """``torch.distributed.run``, but a failed process ends it with that status and no traceback of its own."""
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main

    try:
        main(sys.argv[1:])
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        sys.exit(failure.exitcode if failure.exitcode > 0 else 1)


if __name__ == '__main__':
    _main()
