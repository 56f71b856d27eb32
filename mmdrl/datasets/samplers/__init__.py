"""Samplers that look at classes; importing this registers them."""

from .batch_balanced import BatchBalancedSampler
from .class_aware import ClassAwareSampler
from .class_sampler import ClassSampler
from .effective_number import EffectiveNumberSampler
from .passes import ClassImages, class_passes, class_passes_in_blocks, group_by_class
from .power import PowerSampler
from .progressive import ProgressiveSampler
from .rounds import class_rounds, order_by_rounds
from .shares import allot_draws, order_by_shares

__all__ = [
    'BatchBalancedSampler',
    'ClassAwareSampler',
    'ClassImages',
    'ClassSampler',
    'EffectiveNumberSampler',
    'PowerSampler',
    'ProgressiveSampler',
    'allot_draws',
    'class_passes',
    'class_passes_in_blocks',
    'class_rounds',
    'group_by_class',
    'order_by_rounds',
    'order_by_shares',
]
