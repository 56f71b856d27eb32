# ldam-drw at ratio 10: 20,431 training images.
_base_ = ['./ldam-drw_r32_cifar10-lt-ir100.py']

train_dataloader = dict(dataset=dict(imbalance_ratio=10))
