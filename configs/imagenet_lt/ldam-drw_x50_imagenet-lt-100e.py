# LDAM-DRW of Cao et al., NeurIPS 2019: margins on a cosine classifier, the last fifth re-weighted by effective
# number.
_base_ = ['./ce_x50_imagenet-lt-100e.py', '../_base_/stages/ldam-drw_100e.py']

model = dict(
    head=dict(
        classifier=dict(type='mmdrl.CosineClassifier', scale=1.0),  # the loss takes cosines and scales them itself
        loss=dict(type='mmdrl.LDAMLoss', max_margin=0.5, scale=30.0),
    ),
)
default_hooks = dict(stages={{_base_.stages}})
