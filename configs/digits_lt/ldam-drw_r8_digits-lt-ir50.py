# LDAM-DRW of Cao et al., NeurIPS 2019: margins on a cosine classifier, the last fifth re-weighted by effective number.
# "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss".
_base_ = ['./ce_r8_digits-lt-ir50.py']

ldam = dict(type='mmdrl.LDAMLoss')
model = dict(
    head=dict(
        classifier=dict(type='mmdrl.CosineClassifier', scale=1.0),  # the loss takes cosines and scales them itself
        loss=ldam,
    ),
)
param_scheduler = [  # begins as in the released code: 0.02, 0.04, ... 0.1
    dict(type='LinearLR', start_factor=0.2, by_epoch=True, begin=0, end=5),
    dict(type='CosineAnnealingLR', T_max=45, by_epoch=True, begin=5, end=50),
]
default_hooks = dict(
    stages=dict(
        type='mmdrl.TwoStageHook',
        stages=[
            dict(name='margins', epochs=40),
            dict(name='weights', epochs=10, loss=dict(type='mmdrl.ClassBalancedLoss', loss=ldam, average='weights')),
        ],
    ),
)
