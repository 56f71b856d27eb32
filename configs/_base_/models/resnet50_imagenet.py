_base_ = ['mmpretrain::_base_/models/resnet50.py']

model = dict(head=dict(type='mmdrl.DRHead', centroids=dict(mode='running')))
