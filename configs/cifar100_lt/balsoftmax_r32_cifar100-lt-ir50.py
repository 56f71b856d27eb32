# balsoftmax at ratio 50: 12,608 training images.
_base_ = ['./balsoftmax_r32_cifar100-lt-ir100.py']

train_dataloader = dict(dataset=dict(imbalance_ratio=50))
