model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(num_classes=10, mean=[78.7], std=[96.0], to_rgb=False),
    backbone=dict(type='mmdrl.ResNet8', in_channels=1),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='mmdrl.DRHead',
        num_classes=10,
        in_channels=64,
        centroids=dict(mode='running'),
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
)
