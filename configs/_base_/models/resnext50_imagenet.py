_base_ = ['mmpretrain::_base_/models/resnext50_32x4d.py']

model = dict(head=dict(type='mmdrl.DRHead', centroids=dict(mode='running')))
