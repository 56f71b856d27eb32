# Plain sampling without the DR loss, class-aware with it, then the classifier alone: 60, 30 and 10 % of 100 epochs.
# Every epoch draws as many images as there are. A run without the DR loss has the same stages. The schedule goes on, so
# the classifier stage has only its end, 0.0027 and less: it settles a classifier that the feature stage has balanced
# already. One that starts anew at the full rate is in ce-crt.
class_aware = dict(type='mmdrl.ClassAwareSampler', samples_per_class=4, num_samples='images')
stages = dict(
    type='mmdrl.TwoStageHook',
    stages=[
        dict(name='warm-up', epochs=60, loss_weights=dict(loss_dr=0.0)),
        dict(name='feature', epochs=30, sampler=class_aware),
        dict(
            name='classifier',
            epochs=10,
            sampler=class_aware,
            freeze=['backbone'],
            loss_weights=dict(loss_dr=0.0),
        ),
    ],
)
