# drl with one radius for all classes: that of a class of average size, sqrt(365 / 62500).
_base_ = ['./drl_r152_places-lt-30e.py']

model = dict(head=dict(dr_loss=dict(radius=dict(_delete_=True, type='mmdrl.SharedRadius', value=0.076))))
