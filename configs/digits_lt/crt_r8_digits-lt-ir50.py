# drl without the DR loss: its stages and its sampler, for what balancing alone is worth.
_base_ = ['./ce_r8_digits-lt-ir50.py']

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
