# Data, schedule and runtime of configs that take parts of mmdrl one by one.
_base_ = 'mmpretrain::_base_/default_runtime.py'

data_preprocessor = dict(num_classes=10, mean=[90.0, 90.0, 90.0], std=[70.0, 70.0, 70.0], to_rgb=True)
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='meters.MeterDigits',
        split='train',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='RandomCrop', crop_size=64, padding=6, padding_mode='edge'),
            dict(type='PackInputs'),
        ],
    ),
)
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
val_dataloader = dict(
    batch_size=100,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='meters.MeterDigits', split='val', pipeline=test_pipeline),
)
test_dataloader = dict(
    batch_size=100,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='meters.MeterDigits', split='test', pipeline=test_pipeline),
)
val_evaluator = [dict(type='Accuracy')]
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=10)]
train_cfg = dict(by_epoch=True, max_epochs=10, val_interval=5)
val_cfg = dict()
test_cfg = dict()
default_hooks = dict(checkpoint=dict(interval=5))
randomness = dict(seed=0)
