"""What a long-tailed set looks like in numbers: class counts by profile, shot groups, measures of imbalance.

NumPy only. Counts are images per class in label order.
"""

from .groups import SHOT_GROUPS, Edges, shot_groups
from .imbalance import class_statistics, gini, imbalance_ratio
from .profiles import Profile, long_tail_counts

__all__ = [
    'SHOT_GROUPS',
    'Edges',
    'Profile',
    'class_statistics',
    'gini',
    'imbalance_ratio',
    'long_tail_counts',
    'shot_groups',
]
