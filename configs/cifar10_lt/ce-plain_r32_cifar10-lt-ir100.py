# Cross-entropy in the setting of Cao et al., NeurIPS 2019: crop and flip only, steps, less decay. It is there to
# check the code against their number (their script keeps the best epoch). Initial weights are the
# host's, not theirs.
_base_ = [
    '../_base_/datasets/cifar10_lt.py',
    '../_base_/models/resnet32_cifar10.py',
    '../_base_/schedules/sgd_200e_cifar.py',
    '../_base_/default_runtime.py',
]

data_preprocessor = dict(
    augments=[
        dict(type='mmdrl.BatchCrop', size=32, padding=4),
        dict(type='mmdrl.BatchFlip', prob=0.5, direction='horizontal'),
    ],
)
optim_wrapper = dict(optimizer=dict(weight_decay=2e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, by_epoch=True, begin=0, end=5),
    dict(type='MultiStepLR', milestones=[160, 180], gamma=0.01, by_epoch=True),
]
