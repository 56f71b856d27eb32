model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmdrl.ResNet32'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='mmdrl.DRHead',
        num_classes=10,
        in_channels=64,
        centroids=dict(mode='running'),
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
)
