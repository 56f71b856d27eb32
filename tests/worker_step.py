"""One of several processes: one training step on its share of 64 images, compared with one process that has them all.

Two layers with projections, learned radii, class weights, measured centroids. The first argument is the mode of the
centroids, the second the file of the whole step: one process writes it, several compare with it.
"""

import sys
from pathlib import Path

import torch
from mmengine.dist import all_reduce, get_rank, get_world_size
from mmengine.model import MMDistributedDataParallel
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from torch import nn

from mmdrl.launch import finish
from mmdrl.registry import MODELS

IMAGES, CLASSES = 64, 6
mode, path = sys.argv[1], Path(sys.argv[2])


@MODELS.register_module()
class TwoConvolutions(nn.Module):
    """Two feature maps, no batch statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 12, 3)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        low = self.first(x).relu()
        return low, self.second(low).relu()


torch.distributed.init_process_group('gloo')
rank, world_size = get_rank(), get_world_size()
torch.manual_seed(0)
images = torch.randn(IMAGES, 3, 10, 10)
labels = torch.randint(0, CLASSES, (IMAGES,))
images += labels[:, None, None, None] / 3
loss = dict(
    type='mmdrl.DRLoss',
    radius=dict(type='mmdrl.LearnedRadius', init=0.3),
    scope='sample',
    margin=2.0,
    temperature=0.3,
    class_weight='effective',
    beta=0.9,
)
head = dict(
    type='mmdrl.DRHead',
    num_classes=CLASSES,
    in_channels=12,
    dr_loss=loss,
    dr_layers=(-2, -1),
    dr_weights=(0.5, 1.0),
    dr_channels=(8, 12),
    dr_projection=(16, 4),
    centroids=dict(mode=mode),
)
model = ImageClassifier(backbone=dict(type='mmdrl.TwoConvolutions'), neck=dict(type='GlobalAveragePooling'), head=head)
model.head.set_class_counts(labels.bincount(minlength=CLASSES))
layers = [model.head.centroids, *(layer.centroids for layer in model.head.dr_layers)]
share = slice(rank * IMAGES // world_size, (rank + 1) * IMAGES // world_size)
samples = [DataSample().set_gt_label(int(label)) for label in labels[share]]
with torch.no_grad():  # first centroids, of other weights than those of the step
    model.head.loss(model.extract_feat(images[share]), samples)
    for centroids in layers:
        centroids.publish()
    for parameter in model.parameters():
        parameter += 0.02 * torch.randn_like(parameter)

wrapped = MMDistributedDataParallel(model, device_ids=None, broadcast_buffers=False)
losses = wrapped(images[share], samples, mode='loss')
sum(value for key, value in losses.items() if 'loss' in key).backward()
for centroids in layers:
    centroids.publish()
found = {f'gradient of {name}': parameter.grad for name, parameter in model.named_parameters()}
for key, value in losses.items():
    found[key] = value.detach() / world_size  # MMEngine logs the mean over the processes
    all_reduce(found[key])
for number, centroids in enumerate(layers):
    found |= {f'centroids {number}': centroids.centroids, f'spreads {number}': centroids.spreads}

if world_size == 1:
    torch.save(found, path)
elif rank == 0:
    whole = torch.load(path)
    assert whole.keys() == found.keys()
    assert all(value.abs().max() > 1e-3 for name, value in whole.items() if name != 'dr_classes_without_centroid')
    worst = {
        name: float((value - found[name]).abs().max() / value.abs().max().clamp_min(1e-3))
        for name, value in whole.items()
    }
    name = max(worst, key=lambda key: worst[key])
    print(f'{world_size} processes: worst deviation {worst[name]:.1e}, {name}')
    assert worst[name] < 1e-5, worst
del wrapped
finish()
