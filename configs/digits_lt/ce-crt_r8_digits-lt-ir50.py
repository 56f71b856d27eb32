# cRT of Kang et al., ICLR 2020: cross-entropy to the end of its schedule, then a new classifier, class-aware.
_base_ = [
    '../_base_/datasets/digits_lt_ir50.py',
    '../_base_/models/resnet8_digits.py',
    '../_base_/schedules/sgd_50e_digits.py',
    '../_base_/default_runtime.py',
]

env_cfg = dict(num_threads=1)
default_hooks = dict(
    stages=dict(
        type='mmdrl.TwoStageHook',
        stages=[
            dict(name='feature', epochs=40, param_scheduler=[dict(type='CosineAnnealingLR', T_max=40)]),
            dict(
                name='classifier',
                epochs=10,
                sampler=dict(type='mmdrl.ClassAwareSampler', samples_per_class=4),
                freeze=['backbone'],
                reset=['head.fc'],
                lr=0.1,
                param_scheduler=[dict(type='CosineAnnealingLR', T_max=10)],
                loss_weights=dict(loss_dr=0.0),
            ),
        ],
    ),
)
