# The protocol of the released code of Samuel & Chechik, ICCV 2021, in one run. README.md has what differs and why.
# Unverified until measured.
_base_ = [
    '../_base_/datasets/cifar100_lt.py',
    '../_base_/models/resnet32_cifar.py',
    '../_base_/schedules/sgd_200e_cifar.py',
    '../_base_/default_runtime.py',
]

# Those of CIFAR-10, as the released code has them for both sets.
data_preprocessor = dict(mean=[125.307, 122.961, 113.8575], std=[51.5865, 50.847, 51.255])
model = dict(
    head=dict(
        centroids=dict(mode='epoch'),
        dr_loss=dict(
            type='mmdrl.DRLoss',
            radius=dict(type='mmdrl.LearnedRadius', init=1.0),
            scope='class',
            margin=1.0,
            temperature=1.0,
            loss_weight=1.0,
        ),
    ),
)
optim_wrapper = dict(
    optimizer=dict(weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys={'dr_loss.radius': dict(decay_mult=0.0)}),  # or radii would drift to log 2
)
param_scheduler = [  # of the first stage; the others have a constant rate
    dict(type='LinearLR', start_factor=0.2, by_epoch=True, begin=0, end=5),
    dict(type='MultiStepLR', milestones=[160, 180], gamma=0.01, by_epoch=True),
]
train_cfg = dict(max_epochs=300)

class_aware = dict(type='mmdrl.ClassAwareSampler', samples_per_class=4, num_samples=50000)
by_size = dict(type='mmdrl.ClassBalancedLoss', class_weight='relative', average='weights')  # n_c / n_max
default_hooks = dict(
    stages=dict(
        type='mmdrl.TwoStageHook',
        stages=[
            dict(name='cross-entropy', epochs=200, loss_weights=dict(loss_dr=0.0)),
            dict(name='feature', epochs=80, sampler=class_aware, loss=by_size, freeze=['head.fc'], lr=0.005),
            dict(
                name='classifier',
                epochs=20,
                sampler=class_aware,
                freeze=['backbone'],
                lr=0.01,
                loss_weights=dict(loss_dr=0.0),
            ),
        ],
    ),
)
