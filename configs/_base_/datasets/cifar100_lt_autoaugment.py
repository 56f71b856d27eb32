# CIFAR-100-LT with the augmentation that recipes for small long-tailed images share.
_base_ = ['./cifar100_lt.py']

train_pipeline = [
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmdrl.AutoAugmentPolicy', policy='cifar10', channel_order='rgb'),
    dict(type='mmdrl.SquareCutout', length=16),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))
