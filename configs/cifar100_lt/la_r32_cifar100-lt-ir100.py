# Logit adjustment of Menon et al., ICLR 2021, with a cosine classifier: the control of drl-la.
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
    ),
)
