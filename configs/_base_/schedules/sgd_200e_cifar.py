# 1 GPU x 128 images; --auto-scale-lr keeps lr / total batch for any other number.
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, by_epoch=True, begin=0, end=5),  # 0.02, 0.04, ... 0.1
    dict(type='CosineAnnealingLR', T_max=195, by_epoch=True, begin=5, end=200),
]
train_cfg = dict(type='mmdrl.ResumableEpochLoop', max_epochs=200, val_interval=10)
auto_scale_lr = dict(base_batch_size=128)
