# The authors never released their ImageNet-LT protocol: stages, rates and lambda are ours and unverified.
_base_ = [
    'mmpretrain::_base_/models/resnet50.py',
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/schedules/sgd_100e_bs256.py',
    '../_base_/default_runtime.py',
]

model = dict(
    head=dict(
        type='mmdrl.DRHead',
        centroids=dict(mode='running'),
        dr_loss=dict(
            type='mmdrl.DRLoss',
            radius=dict(type='mmdrl.CountRadius', scale=1.0),
            scope='sample',
            margin=2.0,
            temperature=1.0,
            loss_weight=0.2,
        ),
    ),
)

class_aware = dict(type='mmdrl.ClassAwareSampler', samples_per_class=4, num_samples=115846)
default_hooks = dict(
    stages=dict(
        type='mmdrl.TwoStageHook',
        stages=[
            dict(name='warm-up', epochs=60, loss_weights=dict(loss_dr=0.0)),
            dict(name='feature', epochs=30, sampler=class_aware),
            dict(
                name='classifier',
                epochs=10,
                sampler=class_aware,
                freeze=['backbone'],
                loss_weights=dict(loss_dr=0.0),
            ),
        ],
    ),
)
