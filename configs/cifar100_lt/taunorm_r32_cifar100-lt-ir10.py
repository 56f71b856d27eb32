# taunorm at ratio 10: 19,573 training images.
_base_ = ['./taunorm_r32_cifar100-lt-ir100.py']

train_dataloader = dict(dataset=dict(imbalance_ratio=10))
