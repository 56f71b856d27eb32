# drl with exact centroids: a pass over the clean training set after every epoch.
_base_ = ['./drl_r152_places-lt-30e.py']

model = dict(head=dict(centroids=dict(mode='epoch')))
