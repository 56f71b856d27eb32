# Balanced softmax of Ren et al., NeurIPS 2020, without its meta sampler.
_base_ = ['./ce_x50_imagenet-lt-100e.py']

model = dict(head=dict(loss=dict(type='mmdrl.BalancedSoftmaxLoss')))
