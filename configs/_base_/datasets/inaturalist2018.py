# iNaturalist 2018: 437,513 training images, 8142 classes of 1000 to 2. Selected and reported on val: there is no test.
# Lists (or train2018.json, val2018.json) and the folder train_val2018 lie in data/inaturalist2018.
_base_ = ['./imagenet_lt.py']

data_preprocessor = dict(num_classes=8142)
train_dataloader = dict(dataset=dict(type='mmdrl.INaturalist2018', data_root='data/inaturalist2018'))
val_dataloader = dict(dataset=dict(type='mmdrl.INaturalist2018', data_root='data/inaturalist2018'))
test_dataloader = dict(dataset=dict(type='mmdrl.INaturalist2018', split='val', data_root='data/inaturalist2018'))
