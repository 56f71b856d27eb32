_base_ = ['mmpretrain::_base_/models/resnet50.py']

model = dict(head=dict(type='mmdrl.DRHead', num_classes=8142, centroids=dict(mode='running')))
