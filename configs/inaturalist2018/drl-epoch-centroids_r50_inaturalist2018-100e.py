# drl with exact centroids: a pass over the clean training set after every epoch.
_base_ = ['./drl_r50_inaturalist2018-100e.py']

model = dict(head=dict(centroids=dict(mode='epoch')))
