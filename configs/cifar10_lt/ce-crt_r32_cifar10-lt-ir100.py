# cRT of Kang et al., ICLR 2020: cross-entropy to the end of its schedule, then a new classifier, class-aware.
_base_ = [
    '../_base_/datasets/cifar10_lt.py',
    '../_base_/models/resnet32_cifar10.py',
    '../_base_/schedules/sgd_200e_cifar.py',
    '../_base_/default_runtime.py',
    '../_base_/stages/ce-crt_200e.py',
]

default_hooks = dict(stages={{_base_.stages}})
