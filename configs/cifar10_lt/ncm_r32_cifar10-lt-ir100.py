# Trained as ce, predicts the class of the nearest mean. That is the NCM of Kang et al., ICLR 2020; their code centres
# features and brings them to length 1, here they stay as they are.
_base_ = [
    '../_base_/datasets/cifar10_lt.py',
    '../_base_/models/resnet32_cifar10.py',
    '../_base_/schedules/sgd_200e_cifar.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(predict_with='ncm'))
