# drl with the DR loss on the last two stages of the backbone, added up.
_base_ = ['./drl_r32_cifar10-lt-ir100.py']

model = dict(
    backbone=dict(out_indices=(1, 2)),
    head=dict(dr_layers=(-2, -1), dr_channels=(32, 64)),
)
