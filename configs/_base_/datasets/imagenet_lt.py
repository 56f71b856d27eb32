# ImageNet-LT: 115,846 training images, 1000 classes of 1280 to 5. Selected on val, reported on test.
# Lists and images lie in data/imagenet; the images of `val`, which are the test images, with or without class folders.
_base_ = ['mmpretrain::_base_/datasets/imagenet_bs32_pil_resize.py']

train_dataloader = dict(dataset=dict(type='mmdrl.ImageNetLT', split='train'))
val_dataloader = dict(dataset=dict(type='mmdrl.ImageNetLT', split='val'))
test_dataloader = dict(dataset=dict(type='mmdrl.ImageNetLT', split='test'))

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
