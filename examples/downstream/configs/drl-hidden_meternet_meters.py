# A network and a head of one's own: the DR loss on a hidden layer of the classifier.
_base_ = '_base_/meters.py'

model = dict(
    type='ImageClassifier',
    backbone=dict(type='meters.MeterNet'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='meters.HiddenDRHead',
        num_classes=10,
        in_channels=64,
        mid_channels=[32],
        dr_loss=dict(scope='sample', margin=2.0, loss_weight=0.2),
    ),
)
train_dataloader = dict(sampler=dict(_delete_=True, type='mmdrl.ClassAwareSampler', num_samples=640))
default_hooks = dict(
    class_counts=dict(type='mmdrl.ClassCountsHook'),
    centroids=dict(type='mmdrl.CentroidHook'),
)
val_evaluator = [dict(type='mmdrl.ShotAccuracy', many=40, few=10)]
test_evaluator = val_evaluator
