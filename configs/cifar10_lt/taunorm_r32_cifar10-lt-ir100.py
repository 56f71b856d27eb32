# Trained as ce, predicts with tau-normalised weights (Kang et al., ICLR 2020). With tau 1 all rows are equally long;
# tools/analysis/rebalance.py, given the config of ce and a checkpoint of this, finds the best tau on validation
# images.
_base_ = [
    '../_base_/datasets/cifar10_lt.py',
    '../_base_/models/resnet32_cifar10.py',
    '../_base_/schedules/sgd_200e_cifar.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(classifier=dict(type='mmdrl.TauNormClassifier', tau=1.0)))
