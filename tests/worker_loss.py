"""One of several processes: its share of a batch, whose loss and gradient must be those of the whole batch."""

import torch
from mmengine.dist import all_reduce, get_rank, get_world_size

from mmdrl.launch import finish
from mmdrl.models import ClassStatistics, DRLoss
from mmdrl.models.class_moments import ClassMoments

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

# Tight clusters far from the origin, of which each process has another part.
far = 1e3 + torch.randn(64, 4, generator=generator) + torch.arange(64)[:, None] / 64
classes = torch.arange(64) // 32
moments = ClassMoments(2, 4)
mine = slice(rank * 64 // world_size, (rank + 1) * 64 // world_size)
moments.add(far[mine], classes[mine])
mean, variance, counts = moments.of_all_processes()
for label in range(2):
    rows = far[classes == label].double()
    assert counts[label] == 32
    assert torch.allclose(mean[label].double(), rows.mean(dim=0), rtol=1e-6, atol=0)
    exact = (rows - rows.mean(dim=0)).square().sum(dim=1).mean()
    assert abs(variance[label] / exact - 1) < 1e-3  # a sum of squares in float32 would be off by a tenth

if rank == 0:
    torch.save([loss.detach(), *gradients], f'{world_size}.pt')
finish()
