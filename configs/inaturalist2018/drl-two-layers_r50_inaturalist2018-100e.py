# drl with the DR loss on the last two stages of the backbone, added up.
_base_ = ['./drl_r50_inaturalist2018-100e.py']

model = dict(
    backbone=dict(out_indices=(2, 3)),
    head=dict(dr_layers=(-2, -1), dr_channels=(1024, 2048)),
)
