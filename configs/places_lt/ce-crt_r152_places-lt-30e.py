# cRT of Kang et al., ICLR 2020: cross-entropy to the end of its schedule, then a new classifier, class-aware.
_base_ = ['./ce_r152_places-lt-30e.py', '../_base_/stages/ce-crt_30e.py']

default_hooks = dict(stages={{_base_.stages}})
