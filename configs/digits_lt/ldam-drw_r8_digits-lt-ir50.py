# Cao et al., "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss", NeurIPS 2019: the last fifth
# of the epochs weighs classes by their effective number.
_base_ = ['./ce_r8_digits-lt-ir50.py']

ldam = dict(type='mmdrl.LDAMLoss')
model = dict(
    head=dict(
        classifier=dict(type='mmdrl.CosineClassifier', scale=1.0),  # the loss takes cosines and scales them itself
        loss=ldam,
    ),
)
default_hooks = dict(
    stages=dict(
        type='mmdrl.TwoStageHook',
        stages=[
            dict(name='margins', epochs=40),
            dict(name='weights', epochs=10, loss=dict(type='mmdrl.ClassBalancedLoss', loss=ldam, average='weights')),
        ],
    ),
)
