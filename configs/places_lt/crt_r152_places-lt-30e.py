# drl without the DR loss: its stages and its sampler, for what balancing alone is worth.
_base_ = ['./ce_r152_places-lt-30e.py', '../_base_/stages/drl_30e.py']

default_hooks = dict(stages={{_base_.stages}})
