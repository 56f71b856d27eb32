# Cross-entropy, plain sampling.
_base_ = [
    '../_base_/datasets/inaturalist2018.py',
    '../_base_/models/resnet50_inaturalist.py',
    '../_base_/schedules/sgd_100e_inaturalist.py',
    '../_base_/default_runtime.py',
]
