# drl with one radius for all classes: that of a class of average size, sqrt(1000 / 115846).
_base_ = ['./drl_r50_imagenet-lt-100e.py']

model = dict(head=dict(dr_loss=dict(radius=dict(_delete_=True, type='mmdrl.SharedRadius', value=0.093))))
