# drl with measured radii: the standard error of each centroid. That of drl is it for classes of spread 1.
_base_ = ['./drl_r50_imagenet-lt-100e.py']

model = dict(head=dict(dr_loss=dict(radius=dict(type='mmdrl.MeasuredRadius', scale=1.0))))
