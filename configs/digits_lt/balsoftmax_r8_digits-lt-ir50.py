# Balanced softmax of Ren et al., NeurIPS 2020, without its meta sampler.
_base_ = ['./ce_r8_digits-lt-ir50.py']

model = dict(head=dict(loss=dict(type='mmdrl.BalancedSoftmaxLoss')))
