# Balanced softmax of Ren et al., NeurIPS 2020, without its meta sampler.
_base_ = [
    '../_base_/datasets/cifar10_lt.py',
    '../_base_/models/resnet32_cifar10.py',
    '../_base_/schedules/sgd_200e_cifar.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(loss=dict(type='mmdrl.BalancedSoftmaxLoss')))
