# Cross-entropy, plain sampling.
_base_ = [
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/models/resnext50_imagenet.py',
    '../_base_/schedules/sgd_100e_bs256.py',
    '../_base_/default_runtime.py',
]
