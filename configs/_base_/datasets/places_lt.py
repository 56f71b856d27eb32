# Places-LT: 62,500 training images, 365 classes of 4980 to 5. Selected on val, reported on test.
# Lists and images lie in data/places; the images as Places365 ships them (data_256, val_256) or in a folder per class.
_base_ = ['./imagenet_lt.py']

data_preprocessor = dict(num_classes=365)
train_dataloader = dict(dataset=dict(type='mmdrl.PlacesLT', data_root='data/places'))
val_dataloader = dict(dataset=dict(type='mmdrl.PlacesLT', data_root='data/places'))
test_dataloader = dict(dataset=dict(type='mmdrl.PlacesLT', data_root='data/places'))
