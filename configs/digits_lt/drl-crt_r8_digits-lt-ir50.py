# ce-crt with the DR loss beside cross-entropy in its first stage.
_base_ = ['./ce-crt_r8_digits-lt-ir50.py']

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
