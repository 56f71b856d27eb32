# drl with centroids that follow the batches, as exponential moving averages.
_base_ = ['./drl_r152_places-lt-30e.py']

model = dict(head=dict(centroids=dict(mode='ema')))
