"""One of several processes: its uneven share of a batch, with a class-balanced loss that must be that of the whole."""

import torch
from mmengine.dist import all_reduce, get_rank, get_world_size

from mmdrl.launch import finish
from mmdrl.registry import MODELS

torch.distributed.init_process_group('gloo')
rank, world_size = get_rank(), get_world_size()
generator = torch.Generator().manual_seed(0)
images = torch.randn(8, 3, generator=generator, dtype=torch.float64)
labels = torch.tensor([0, 0, 0, 0, 0, 1, 2, 2])  # the rare classes all at the end
layer = torch.nn.Linear(3, 3).double()
with torch.no_grad():
    layer.weight.copy_(torch.randn(3, 3, generator=generator))
    layer.bias.zero_()
loss_module = MODELS.build(
    dict(
        type='mmdrl.ClassBalancedLoss',
        num_classes=3,
        loss=dict(type='mmdrl.LDAMLoss', scale=3.0),
        average='weights',
        class_counts=[50, 5, 2],
    )
)
bounds = {1: (0, 8), 2: (0, 3, 8), 4: (0, 1, 3, 4, 8)}[world_size]
share = slice(bounds[rank], bounds[rank + 1])
model = torch.nn.parallel.DistributedDataParallel(layer)
loss = loss_module(model(images[share]), labels[share], avg_factor=share.stop - share.start)
loss.backward()
value = loss.detach().clone()
all_reduce(value, 'mean')
if rank == 0:
    torch.save([value, layer.weight.grad, layer.bias.grad], f'{world_size}.pt')
finish()
