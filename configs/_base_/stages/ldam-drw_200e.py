# Deferred re-weighting (Cao et al., "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss", NeurIPS
# 2019): by effective number, in the last 40 of 200 epochs, as there. There the rate falls by 100 with it, here the
# cosine goes on.
ldam = dict(type='mmdrl.LDAMLoss', max_margin=0.5, scale=30.0)
effective = dict(class_weight='effective', beta=0.9999, average='weights')
stages = dict(
    type='mmdrl.TwoStageHook',
    stages=[
        dict(name='margins', epochs=160),
        dict(name='weights', epochs=40, loss=dict(type='mmdrl.ClassBalancedLoss', loss=ldam, **effective)),
    ],
)
