# 1 GPU x 32 images; --auto-scale-lr keeps lr / total batch for any other number.
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=50, by_epoch=True)]
train_cfg = dict(type='mmdrl.ResumableEpochLoop', max_epochs=50, val_interval=10)
auto_scale_lr = dict(base_batch_size=32)
