# Cross-entropy, plain sampling. The floor to compare with.
_base_ = [
    '../_base_/datasets/digits_lt_ir50.py',
    '../_base_/models/resnet8_digits.py',
    '../_base_/schedules/sgd_50e_digits.py',
    '../_base_/default_runtime.py',
]

# So small a network gains nothing from more threads, and the numbers do not depend on how many there are.
env_cfg = dict(num_threads=1)
