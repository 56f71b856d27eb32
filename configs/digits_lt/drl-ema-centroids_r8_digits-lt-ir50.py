# drl with centroids that follow the batches, as exponential moving averages.
_base_ = ['./drl_r8_digits-lt-ir50.py']

model = dict(head=dict(centroids=dict(mode='ema')))
