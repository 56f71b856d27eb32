# drl without the DR loss: its stages and its sampler, for what balancing alone is worth.
_base_ = [
    '../_base_/datasets/cifar100_lt.py',
    '../_base_/models/resnet32_cifar.py',
    '../_base_/schedules/sgd_200e_cifar.py',
    '../_base_/default_runtime.py',
    '../_base_/stages/drl_200e.py',
]

default_hooks = dict(stages={{_base_.stages}})
