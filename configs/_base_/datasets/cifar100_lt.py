# CIFAR-100-LT, ratio 100: 10,847 training images, 500 of the first class to 5 of the last; 12,608 at ratio 50
# and 19,573 at 10 (`train_dataloader.dataset.imbalance_ratio`). The test set of 10,000 is all there is to validate
# on: report the last epoch, not the best one, and take hyper-parameters from elsewhere or from a hold-out.
data_preprocessor = dict(
    type='mmdrl.BatchDataPreprocessor',
    num_classes=100,
    mean=[129.304, 124.070, 112.434],  # of the training set, RGB
    std=[68.170, 65.392, 70.418],
    to_rgb=True,  # the data set hands out BGR, as MMPretrain loads files
    augments=[  # the augmentation that recipes for small long-tailed images share, done to whole batches
        dict(type='mmdrl.BatchCrop', size=32, padding=4),
        dict(type='mmdrl.BatchFlip', prob=0.5, direction='horizontal'),
        dict(type='mmdrl.BatchAutoAugment', policy='cifar10', channel_order='bgr'),
        dict(type='mmdrl.BatchCutout', length=16),
    ],
)
train_pipeline = [dict(type='PackInputs')]  # alone, it lets batches be taken whole: docs/data.md
test_pipeline = [  # the images of the set stay as they are; any other file gets their size
    dict(type='ResizeEdge', scale=32, backend='pillow'),
    dict(type='CenterCrop', crop_size=32),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=128,
    num_workers=0,  # a batch takes less time to make than to hand over between processes
    persistent_workers=False,  # MMPretrain's own tool asks for them where nothing is said
    collate_fn=dict(type='mmdrl.collate_images'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmdrl.LongTailDataset',
        imbalance_ratio=100,
        dataset=dict(
            type='mmdrl.CIFAR',
            num_classes=100,
            split='train',
            data_root='data/cifar',
            channel_order='bgr',
            pipeline=train_pipeline,
        ),
    ),
)
val_dataloader = dict(
    batch_size=500,
    num_workers=0,
    persistent_workers=False,
    collate_fn=dict(type='mmdrl.collate_images'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmdrl.CIFAR',
        num_classes=100,
        split='test',
        data_root='data/cifar',
        channel_order='bgr',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = [
    dict(type='mmdrl.ShotAccuracy', many=100, few=20),
    dict(type='mmdrl.ShotAccuracy', many=100, few=20, classifier='ncm', prefix='ncm'),
    dict(type='mmdrl.ClassAccuracy'),  # this and the next two with the groups of the first
    dict(type='mmdrl.ClassAccuracy', classifier='ncm', prefix='ncm'),
    dict(type='mmdrl.Calibration'),
]
test_evaluator = val_evaluator
val_cfg = dict()
test_cfg = dict()
