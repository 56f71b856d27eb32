_base_ = ['cifar100_lt/drl_r32_cifar100-lt-ir100.py']
