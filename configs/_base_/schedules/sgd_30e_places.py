# 8 GPUs x 32 images; --auto-scale-lr keeps lr / total batch for any other number. Rates (0.1 for the classifier, 0.01
# for the backbone), cosine and decay stand in the Places-LT configs of Kang et al., ICLR 2020, for 256 images; those
# released fix the whole backbone. 30 epochs as Liu et al., CVPR 2019, have; the warm-up is ours.
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, by_epoch=True, begin=0, end=5),  # 0.02, 0.04, ... 0.1
    dict(type='CosineAnnealingLR', T_max=25, by_epoch=True, begin=5, end=30),
]
train_cfg = dict(type='mmdrl.ResumableEpochLoop', max_epochs=30, val_interval=5)
auto_scale_lr = dict(base_batch_size=256)
