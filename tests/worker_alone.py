"""One of two processes of a tool: the second fails, the first waits for it. The argument: port of their launcher."""

import argparse
import os
import sys
from pathlib import Path

import torch.distributed as dist

from mmdrl.errors import DataError

sys.path.insert(0, str(Path(__file__).parents[1] / 'tools'))
from launch_options import run


def main(args: argparse.Namespace) -> None:
    if os.environ['RANK'] == '1':
        raise DataError('Alone.')
    dist.barrier()


if __name__ == '__main__':
    # As mmdrl.supervise has it, whose store the processes meet at.
    os.environ.update(MMDRL_STARTED='Go on so.', TORCHELASTIC_USE_AGENT_STORE='True', MASTER_PORT=sys.argv[1])
    run(main, argparse.Namespace(gpus=2, device='cpu', launcher='pytorch', local_rank=0))
