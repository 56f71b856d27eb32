# LDAM-DRW of Cao et al., NeurIPS 2019: margins on a cosine classifier, the last fifth re-weighted by effective
# number.
_base_ = [
    '../_base_/datasets/cifar10_lt.py',
    '../_base_/models/resnet32_cifar10.py',
    '../_base_/schedules/sgd_200e_cifar.py',
    '../_base_/default_runtime.py',
    '../_base_/stages/ldam-drw_200e.py',
]

model = dict(
    head=dict(
        classifier=dict(type='mmdrl.CosineClassifier', scale=1.0),  # the loss takes cosines and scales them itself
        loss=dict(type='mmdrl.LDAMLoss', max_margin=0.5, scale=30.0),
    ),
)
default_hooks = dict(stages={{_base_.stages}})
