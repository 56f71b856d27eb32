"""One of two processes that torchrun starts, once or anew. Arguments: port of its store, how often it has restarted."""

import os
import sys
import time

import torch
import torch.distributed as dist

from mmdrl.launch import start

if __name__ == '__main__':
    port, count = sys.argv[1:]
    os.environ.update(TORCHELASTIC_USE_AGENT_STORE='True', TORCHELASTIC_RESTART_COUNT=count, MASTER_PORT=port)
    if (os.environ['RANK'], count) == ('0', '1'):
        time.sleep(1)  # the other would find the address of the first time
    start(None, 'cpu', 'pytorch')
    total = torch.ones(1)
    dist.all_reduce(total)
    os.write(1, f'met {int(total)}\n'.encode())
    os._exit(0)  # as a process that is killed, without a word to the store
