# cRT (Kang et al., "Decoupling Representation and Classifier", ICLR 2020): cross-entropy to the end of its schedule,
# then a classifier of new weights on classes drawn equally often.
_base_ = ['./ce_r8_digits-lt-ir50.py']

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
