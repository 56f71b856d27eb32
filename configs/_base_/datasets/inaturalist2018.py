# iNaturalist 2018: 437,513 training images, 8142 classes of 1000 to 2. Selected and reported on val: there is no test.
# Lists (or train2018.json, val2018.json) and the folder train_val2018 lie in data/inaturalist2018.
_base_ = ['mmpretrain::_base_/datasets/imagenet_bs32_pil_resize.py']

data_preprocessor = dict(num_classes=8142)
train_dataloader = dict(dataset=dict(type='mmdrl.INaturalist2018', split='train', data_root='data/inaturalist2018'))
val_dataloader = dict(dataset=dict(type='mmdrl.INaturalist2018', split='val', data_root='data/inaturalist2018'))
test_dataloader = dict(dataset=dict(type='mmdrl.INaturalist2018', split='val', data_root='data/inaturalist2018'))

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
