# cRT (Kang et al., "Decoupling Representation and Classifier for Long-Tailed Recognition", ICLR 2020): its classifier
# starts anew at the full rate, four images of a class in a row. Theirs has 10 epochs on Places-LT; here both share 30.
# Batch statistics of the frozen backbone stand still; in their code they go on changing.
stages = dict(
    type='mmdrl.TwoStageHook',
    stages=[
        dict(
            name='feature',
            epochs=27,
            param_scheduler=[
                dict(type='LinearLR', start_factor=0.2, by_epoch=True, begin=0, end=5),
                dict(type='CosineAnnealingLR', T_max=22, by_epoch=True, begin=5, end=27),
            ],
        ),
        dict(
            name='classifier',
            epochs=3,
            sampler=dict(type='mmdrl.ClassAwareSampler', samples_per_class=4, num_samples='images'),
            freeze=['backbone'],
            reset=['head.fc'],
            lr=0.1,
            param_scheduler=[dict(type='CosineAnnealingLR', T_max=3, by_epoch=True)],
        ),
    ],
)
