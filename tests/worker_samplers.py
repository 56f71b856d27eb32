"""One of several processes: writes down the seed it agreed on and its share of every sampler's order.

The first argument is the folder. Processes differ in NumPy's state and in the seed of the loader, as with
``diff_rank_seed``; the samplers are told no seed.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from mmengine.runner import Runner
from sampler_cases import SAMPLERS, Rows

import mmdrl.datasets  # noqa: F401

torch.distributed.init_process_group('gloo')
rank, world_size = torch.distributed.get_rank(), torch.distributed.get_world_size()
np.random.seed(rank)
shares = {}
for name, arguments in SAMPLERS.items():
    loader = Runner.build_dataloader(
        dict(
            dataset=Rows(),
            sampler=dict(type=f'mmdrl.{name}', num_samples=25, **arguments),
            batch_size=4,
            collate_fn=dict(type='default_collate'),
        ),
        seed=rank,
        diff_rank_seed=True,
    )
    loader.sampler.set_epoch(4)
    shares[name] = loader.sampler.seed, [position for batch in loader for position in batch.tolist()]
Path(sys.argv[1], f'{rank}_of_{world_size}.json').write_text(json.dumps(shares))
torch.distributed.destroy_process_group()
