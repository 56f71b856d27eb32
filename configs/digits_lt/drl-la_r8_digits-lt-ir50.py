# drl-linear with logit-adjusted cross-entropy (Menon et al., ICLR 2021). Without the DR loss it is balsoftmax.
_base_ = ['./ce_r8_digits-lt-ir50.py']

model = dict(
    head=dict(
        loss=dict(type='mmdrl.LogitAdjustedLoss', tau=1.0),
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
