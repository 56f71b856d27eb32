"""One of several processes: its share of a batch, whose loss and gradient must be those of the whole batch."""

import torch
from mmengine.dist import all_reduce, get_rank, get_world_size

from mmdrl.launch import finish
from mmdrl.models import ClassStatistics, DRLoss

torch.distributed.init_process_group('gloo')
rank, world_size = get_rank(), get_world_size()
generator = torch.Generator().manual_seed(0)
images = torch.randn(8, 3, generator=generator)
labels = torch.tensor([0, 0, 1, 2, 0, 1, 2, 2])
centroids = torch.randn(3, 4, generator=generator)
weight = torch.randn(3, 4, generator=generator).requires_grad_()
loss_module = DRLoss(3, radius=dict(type='mmdrl.LearnedRadius'), scope='sample', margin=2.0)
statistics = ClassStatistics(torch.tensor([3, 2, 3]))

share = slice(rank * 8 // world_size, (rank + 1) * 8 // world_size)
loss = loss_module(images[share] @ weight, labels[share], centroids, statistics)
loss.backward()
gradients = [weight.grad, loss_module.radius.raw.grad]
for gradient in gradients:
    all_reduce(gradient, 'mean')  # as DDP does
if rank == 0:
    torch.save([loss.detach(), *gradients], f'{world_size}.pt')
finish()
