"""The images of one iteration, shared out among processes.

What a run computes hangs on its total batch: the DR loss, the order in which images come, the place that a resumed run
goes on from. So a run that may have another number of processes each time it starts is told the total.
"""

import os

from mmengine.config import Config

from mmdrl.errors import ConfigError

# Where the number of processes stands before they have met.
_PROCESSES = {'pytorch': 'WORLD_SIZE', 'slurm': 'SLURM_NTASKS', 'mpi': 'OMPI_COMM_WORLD_SIZE'}


def launched_processes(launcher: str) -> int:
    """How many processes a launcher has started, as it tells each of them.

    Args:
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
    """
    name = _PROCESSES.get(launcher)
    return int(os.environ.get(name, 1)) if name else 1


def set_total_batch(cfg: Config, total: int, processes: int) -> None:
    """Let all processes together train on so many images an iteration, each on its share.

    Args:
        cfg: Config with ``train_dataloader``, whose ``batch_size`` is replaced.
        total: Images of all processes.
        processes: How many there are.

    Raises:
        ConfigError: If it cannot be shared out evenly, or the loader has no batch size.
    """
    if total < 1 or total % processes:
        raise ConfigError(
            f'--total-batch {total} cannot be shared out evenly among {processes} process{"es" * (processes > 1)}: it '
            f'must be a multiple of {processes}, at least {processes}. Take such a number, or another number of '
            'processes.'
        )
    loader = cfg.get('train_dataloader')
    if not isinstance(loader, dict) or loader.get('batch_size') is None:
        raise ConfigError('--total-batch needs train_dataloader.batch_size, which it replaces; the config has none.')
    loader['batch_size'] = total // processes
