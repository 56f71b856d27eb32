"""One of several nodes: an agent of torchrun, whose only process is ``worker_tool.py``.

The first argument is the port, the rest that script's. The process comes by fork in place of a new Python; all else is
as ``torchrun --nnodes N --node-rank RANK`` does it.
"""

import os
import runpy
import sys
from pathlib import Path

from torch.distributed.launcher.api import elastic_launch
from torch.distributed.run import config_from_args, parse_args


def work() -> None:
    """What the process does."""
    runpy.run_path(sys.argv[0], run_name='__main__')


port, *arguments = sys.argv[1:]
sys.argv = [str(Path(__file__).with_name('worker_tool.py')), *arguments]
place = ['--nnodes', os.environ['WORLD_SIZE'], '--node-rank', os.environ['RANK'], '--nproc-per-node', '1']
for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'LOCAL_WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'):
    del os.environ[name]
config, *_ = config_from_args(parse_args([*place, '--master-addr', '127.0.0.1', '--master-port', port, *sys.argv]))
config.start_method = 'fork'
elastic_launch(config, work)()
