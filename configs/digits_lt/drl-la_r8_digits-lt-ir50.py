# drl-linear with logit-adjusted cross-entropy (Menon et al., ICLR 2021); without the DR loss it is balsoftmax.
_base_ = ['./drl-linear_r8_digits-lt-ir50.py']

model = dict(head=dict(loss=dict(type='mmdrl.LogitAdjustedLoss', tau=1.0)))
