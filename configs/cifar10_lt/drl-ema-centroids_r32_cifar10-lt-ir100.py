# drl with centroids that follow the batches, as exponential moving averages.
_base_ = ['./drl_r32_cifar10-lt-ir100.py']

model = dict(head=dict(centroids=dict(mode='ema')))
