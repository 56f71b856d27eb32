# Places-LT: 62,500 training images, 365 classes of 4980 to 5. Selected on val, reported on test.
# Lists and images lie in data/places; the images as Places365 ships them (data_256, val_256) or in a folder per class.
_base_ = ['mmpretrain::_base_/datasets/imagenet_bs32_pil_resize.py']

data_preprocessor = dict(num_classes=365)
train_dataloader = dict(dataset=dict(type='mmdrl.PlacesLT', split='train', data_root='data/places'))
val_dataloader = dict(dataset=dict(type='mmdrl.PlacesLT', split='val', data_root='data/places'))
test_dataloader = dict(dataset=dict(type='mmdrl.PlacesLT', split='test', data_root='data/places'))

val_evaluator = [
    dict(type='mmdrl.ShotAccuracy', many=100, few=20),
    dict(type='mmdrl.ShotAccuracy', many=100, few=20, classifier='ncm', prefix='ncm'),
    dict(type='mmdrl.ClassAccuracy'),  # this and the next two with the groups of the first
    dict(type='mmdrl.ClassAccuracy', classifier='ncm', prefix='ncm'),
    dict(type='mmdrl.Calibration'),
]
test_evaluator = val_evaluator
val_cfg = dict()
test_cfg = dict()
