# drl with one radius for all classes: that of a class of average size, sqrt(100 / 10847).
_base_ = ['./drl_r32_cifar100-lt-ir100.py']

model = dict(head=dict(dr_loss=dict(radius=dict(_delete_=True, type='mmdrl.SharedRadius', value=0.096))))
