"""Training in stages: the plan as data, whether it fits the run, and what each of its keys changes."""

from .plan import StagePlan
from .stage import Stage

__all__ = ['Stage', 'StagePlan']
