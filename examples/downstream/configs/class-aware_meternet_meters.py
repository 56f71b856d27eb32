# MMPretrain as it is, with the sampler and the metric of mmdrl: no head, no hook and no tool of mmdrl is needed.
_base_ = '_base_/meters.py'

model = dict(
    type='ImageClassifier',
    backbone=dict(type='meters.MeterNet'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=64, loss=dict(type='CrossEntropyLoss')),
)
train_dataloader = dict(sampler=dict(_delete_=True, type='mmdrl.ClassAwareSampler', num_samples=640))
val_evaluator = [
    dict(type='Accuracy'),
    dict(type='mmdrl.ShotAccuracy', many=40, few=10, class_counts=[100, 68, 46, 32, 22, 15, 10, 7, 4, 3]),
]
test_evaluator = val_evaluator
