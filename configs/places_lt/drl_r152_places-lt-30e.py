# DR loss (Samuel & Chechik, ICCV 2021): plain sampling, then class-aware with the loss, then the classifier alone.
# Stages, rates, radii and lambda are ours and unverified.
_base_ = [
    '../_base_/datasets/places_lt.py',
    '../_base_/models/resnet152_places.py',
    '../_base_/schedules/sgd_30e_places.py',
    '../_base_/default_runtime.py',
    '../_base_/stages/drl_30e.py',
]

model = dict(
    head=dict(
        dr_loss=dict(
            type='mmdrl.DRLoss',
            radius=dict(type='mmdrl.CountRadius', scale=1.0),
            scope='sample',
            margin=2.0,
            temperature=1.0,
            loss_weight=0.2,
        ),
    ),
)
default_hooks = dict(stages={{_base_.stages}})
