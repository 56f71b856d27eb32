# la with the DR loss: one stage, plain sampling, both losses from the start. Temperature, radius and lambda are ours
# and unverified.
_base_ = [
    '../_base_/datasets/cifar100_lt.py',
    '../_base_/models/resnet32_cifar.py',
    '../_base_/schedules/sgd_200e_cifar.py',
    '../_base_/default_runtime.py',
]

model = dict(
    head=dict(
        classifier=dict(type='mmdrl.CosineClassifier', scale=16.0),
        loss=dict(type='mmdrl.LogitAdjustedLoss', tau=1.0),
        dr_loss=dict(
            type='mmdrl.DRLoss',
            # A cosine classifier ignores lengths, which a distance in feature units would then inflate.
            distance='chord',
            temperature=0.1,
            radius=dict(type='mmdrl.CountRadius', scale=0.5),  # 0.02 for 500 images, 0.22 for 5; the sphere's is 1
            scope='sample',
            margin=2.0,
            loss_weight=0.2,
        ),
    ),
)
