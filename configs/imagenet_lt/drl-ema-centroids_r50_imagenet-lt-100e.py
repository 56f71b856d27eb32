# drl with centroids that follow the batches, as exponential moving averages.
_base_ = ['./drl_r50_imagenet-lt-100e.py']

model = dict(head=dict(centroids=dict(mode='ema')))
