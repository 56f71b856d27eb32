# drl with exact centroids: a pass over the clean training set after every epoch.
_base_ = ['./drl_r32_cifar100-lt-ir100.py']

model = dict(head=dict(centroids=dict(mode='epoch')))
