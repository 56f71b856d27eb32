# drl without the DR loss: its stages and its sampler, for what balancing alone is worth.
_base_ = ['./ce_r50_imagenet-lt-100e.py', '../_base_/stages/drl_100e.py']

default_hooks = dict(stages={{_base_.stages}})
