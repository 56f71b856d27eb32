# Cross-entropy, plain sampling.
_base_ = [
    '../_base_/datasets/places_lt.py',
    '../_base_/models/resnet152_places.py',
    '../_base_/schedules/sgd_30e_places.py',
    '../_base_/default_runtime.py',
]
