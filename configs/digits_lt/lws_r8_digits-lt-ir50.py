# LWS of Kang et al., ICLR 2020: as cRT, but only one factor per class is learned in the second stage.
_base_ = ['./ce_r8_digits-lt-ir50.py']

model = dict(head=dict(classifier=dict(type='mmdrl.LWSClassifier')))
default_hooks = dict(
    stages=dict(
        type='mmdrl.TwoStageHook',
        stages=[
            dict(
                name='feature',
                epochs=40,
                freeze=['head.fc.scale'],
                param_scheduler=[dict(type='CosineAnnealingLR', T_max=40)],
            ),
            dict(
                name='factors',
                epochs=10,
                sampler=dict(type='mmdrl.ClassAwareSampler', samples_per_class=4),
                freeze=['backbone', 'head.fc.weight', 'head.fc.bias'],
                lr=0.1,
                param_scheduler=[dict(type='CosineAnnealingLR', T_max=10)],
            ),
        ],
    ),
)
