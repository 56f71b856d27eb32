# Weights of MMPretrain, trained on ImageNet. Only the last stage learns on: codes for this set freeze most of the
# network, in different ways (Cui et al., ICCV 2021: all convolutions but those of the last block); this way is ours.
_base_ = ['mmpretrain::_base_/models/resnet152.py']

model = dict(
    backbone=dict(
        frozen_stages=3,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmclassification/v0/resnet/resnet152_8xb32_in1k_20210901-4d7582fa.pth',
            prefix='backbone',
        ),
    ),
    head=dict(type='mmdrl.DRHead', num_classes=365, centroids=dict(mode='running')),
)
