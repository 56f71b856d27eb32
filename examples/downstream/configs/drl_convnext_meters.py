# A whole config of mmdrl, stages and schedule included, with other data and another network of MMPretrain.
_base_ = 'mmdrl::imagenet_lt/drl_r50_imagenet-lt-100e.py'

model = dict(
    backbone=dict(_delete_=True, type='ConvNeXt', arch='atto'),
    neck=None,  # ConvNeXt pools by itself
    head=dict(num_classes=10, in_channels=320),
)
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=1e-3, weight_decay=0.05))

data_preprocessor = dict(num_classes=10)
pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
digits = dict(type='meters.MeterDigits', data_root='data/meters', pipeline=pipeline)  # each has inherited its split
train_dataloader = dict(num_workers=0, dataset=digits)
val_dataloader = dict(num_workers=0, dataset=digits)
test_dataloader = dict(num_workers=0, dataset=digits)

val_evaluator = [
    dict(type='mmdrl.ShotAccuracy', many=40, few=10),
    dict(type='mmdrl.ShotAccuracy', many=40, few=10, classifier='ncm', prefix='ncm'),
]
test_evaluator = val_evaluator
