"""Samplers that look at classes; importing this registers them."""

from .class_aware import ClassAwareSampler, class_aware_order

__all__ = ['ClassAwareSampler', 'class_aware_order']
