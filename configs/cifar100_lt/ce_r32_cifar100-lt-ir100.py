# Cross-entropy, plain sampling.
_base_ = [
    '../_base_/datasets/cifar100_lt.py',
    '../_base_/models/resnet32_cifar.py',
    '../_base_/schedules/sgd_200e_cifar.py',
    '../_base_/default_runtime.py',
]
