# ce-crt at ratio 50: 13,996 training images.
_base_ = ['./ce-crt_r32_cifar10-lt-ir100.py']

train_dataloader = dict(dataset=dict(imbalance_ratio=50))
