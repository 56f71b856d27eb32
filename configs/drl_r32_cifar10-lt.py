_base_ = ['cifar10_lt/drl_r32_cifar10-lt-ir100.py']
