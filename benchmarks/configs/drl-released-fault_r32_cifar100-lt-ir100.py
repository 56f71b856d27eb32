"""drl-released with the radii of the released code: given to the wrong samples, free to fall below 0, and decayed.

What else differs from the released code stands in configs/cifar100_lt/README.md.
"""

_base_ = ['../../configs/cifar100_lt/drl-released_r32_cifar100-lt-ir100.py']

model = dict(
    head=dict(
        dr_loss=dict(
            _delete_=True,
            type='evidence.released_radii.MisplacedRadiiDRLoss',  # benchmarks/ must be on PYTHONPATH
            radius=dict(type='evidence.released_radii.FreeRadius', init=1.0),
            temperature=1.0,
            loss_weight=1.0,
        ),
    ),
)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'dr_loss.radius': dict(decay_mult=1.0)}))
