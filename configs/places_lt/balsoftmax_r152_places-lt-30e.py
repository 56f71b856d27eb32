# Balanced softmax of Ren et al., NeurIPS 2020, without its meta sampler.
_base_ = ['./ce_r152_places-lt-30e.py']

model = dict(head=dict(loss=dict(type='mmdrl.BalancedSoftmaxLoss')))
