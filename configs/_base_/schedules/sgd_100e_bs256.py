# 8 GPUs x 32 images; --auto-scale-lr keeps lr / total batch for any other number. Rate, cosine and decay are those of
# Kang et al., ICLR 2020, on ImageNet-LT (0.2 for 512 images); the warm-up and the 100 epochs, 90 there, are ours.
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, by_epoch=True, begin=0, end=5),  # 0.02, 0.04, ... 0.1
    dict(type='CosineAnnealingLR', T_max=95, by_epoch=True, begin=5, end=100),
]
train_cfg = dict(type='mmdrl.ResumableEpochLoop', max_epochs=100, val_interval=5)
auto_scale_lr = dict(base_batch_size=256)
