# drl with exact centroids: a pass over the clean training set after every epoch.
_base_ = ['./drl_r8_digits-lt-ir50.py']

model = dict(head=dict(centroids=dict(mode='epoch')))
