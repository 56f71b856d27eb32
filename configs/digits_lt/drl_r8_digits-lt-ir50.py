# DR loss (Samuel & Chechik, ICCV 2021): plain sampling, then class-aware with the loss, then the classifier alone.
# Stages, rates, radii and lambda are ours.
_base_ = [
    '../_base_/datasets/digits_lt_ir50.py',
    '../_base_/models/resnet8_digits.py',
    '../_base_/schedules/sgd_50e_digits.py',
    '../_base_/default_runtime.py',
]

env_cfg = dict(num_threads=1)
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
class_aware = dict(type='mmdrl.ClassAwareSampler', samples_per_class=4)
default_hooks = dict(
    stages=dict(
        type='mmdrl.TwoStageHook',
        stages=[
            dict(name='warm-up', epochs=20, loss_weights=dict(loss_dr=0.0)),
            dict(name='feature', epochs=20, sampler=class_aware),
            dict(
                name='classifier',
                epochs=10,
                sampler=class_aware,
                freeze=['backbone'],
                loss_weights=dict(loss_dr=0.0),
            ),
        ],
    ),
)
