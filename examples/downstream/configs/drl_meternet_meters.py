# A network of one's own, and the head of mmdrl with the two hooks and the sampler that go with it.
_base_ = '_base_/meters.py'

model = dict(
    type='ImageClassifier',
    backbone=dict(type='meters.MeterNet'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='mmdrl.DRHead',
        num_classes=10,
        in_channels=64,
        dr_loss=dict(
            type='mmdrl.DRLoss', radius=dict(type='mmdrl.CountRadius'), scope='sample', margin=2.0, loss_weight=0.2
        ),
    ),
)
train_dataloader = dict(sampler=dict(_delete_=True, type='mmdrl.ClassAwareSampler', num_samples=640))
default_hooks = dict(
    class_counts=dict(type='mmdrl.ClassCountsHook'),
    centroids=dict(type='mmdrl.CentroidHook'),
)
val_evaluator = [
    dict(type='mmdrl.ShotAccuracy', many=40, few=10),
    dict(type='mmdrl.ShotAccuracy', many=40, few=10, classifier='ncm', prefix='ncm'),
]
test_evaluator = val_evaluator
