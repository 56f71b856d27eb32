# cRT of Kang et al., ICLR 2020: cross-entropy to the end of its schedule, then a new classifier, class-aware.
_base_ = ['./ce_x50_imagenet-lt-100e.py', '../_base_/stages/ce-crt_100e.py']

default_hooks = dict(stages={{_base_.stages}})
