# drl with one radius for all classes: that of a class of average size, sqrt(10 / 331).
_base_ = ['./drl_r8_digits-lt-ir50.py']

model = dict(head=dict(dr_loss=dict(radius=dict(_delete_=True, type='mmdrl.SharedRadius', value=0.174))))
