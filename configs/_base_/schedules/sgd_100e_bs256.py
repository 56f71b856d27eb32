# 8 GPUs x 32 images; --auto-scale-lr keeps lr / total batch for any other number.
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=100, by_epoch=True)]
train_cfg = dict(type='mmdrl.ResumableEpochLoop', max_epochs=100, val_interval=5)
auto_scale_lr = dict(base_batch_size=256)
