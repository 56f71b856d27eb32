# drl with the class scope and margin 1, as in the released code. It is no upper bound on the worst case.
_base_ = ['./drl_r32_cifar10-lt-ir100.py']

model = dict(head=dict(dr_loss=dict(scope='class', margin=1.0)))
