# CIFAR-10-LT, ratio 100: 12,406 training images, 5000 of the first class to 50 of the last; 13,996 at ratio 50
# and 20,431 at 10. All else as for CIFAR-100-LT.
_base_ = ['./cifar100_lt.py']

data_preprocessor = dict(
    num_classes=10,
    mean=[125.307, 122.961, 113.8575],  # RGB, the values in common use
    std=[51.5865, 50.847, 51.255],  # means of the deviations within each image
)
train_dataloader = dict(dataset=dict(dataset=dict(num_classes=10)))
val_dataloader = dict(dataset=dict(num_classes=10))
test_dataloader = val_dataloader
