# iNaturalist 2018: 437,513 training images, 8142 classes of 1000 to 2. Selected and reported on val: there is no test.
# Lists (or train2018.json, val2018.json) and the folder train_val2018 lie in data/inaturalist2018.
data_preprocessor = dict(
    num_classes=8142,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=224, backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=256, edge='short', backend='pillow'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=5,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmdrl.INaturalist2018', split='train', data_root='data/inaturalist2018', pipeline=train_pipeline
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=5,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='mmdrl.INaturalist2018', split='val', data_root='data/inaturalist2018', pipeline=test_pipeline),
)
test_dataloader = val_dataloader

val_evaluator = [
    dict(type='mmdrl.ShotAccuracy', many=100, few=20),
    dict(type='mmdrl.ShotAccuracy', many=100, few=20, classifier='ncm', prefix='ncm'),
]
test_evaluator = val_evaluator
val_cfg = dict()
test_cfg = dict()
