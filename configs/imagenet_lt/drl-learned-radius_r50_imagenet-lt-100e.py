# drl with learned radii. They start as that of a class of average size, sqrt(1000 / 115846); the loss drives them
# towards 0.
_base_ = ['./drl_r50_imagenet-lt-100e.py']

model = dict(head=dict(dr_loss=dict(radius=dict(_delete_=True, type='mmdrl.LearnedRadius', init=0.093))))
# Weight decay would draw them to log 2.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'dr_loss.radius': dict(decay_mult=0.0)}))
