"""Measures of features: spread, bias of centroids, neighbours, rank, neural collapse. Tensors in, numbers out.

Features stay in the precision and on the device they came in and are gone through in parts; whatever is summed over
them is summed in float64.
"""

from .centroid_error import centroid_errors, nearest_other
from .groups import mean_by_group, rank_correlation
from .moments import Moments, class_moments, within_scatter
from .neighbours import knn_labels, ncm_labels
from .neural_collapse import neural_collapse
from .spectrum import effective_rank, effective_rank_of_features

__all__ = [
    'Moments',
    'centroid_errors',
    'class_moments',
    'effective_rank',
    'effective_rank_of_features',
    'knn_labels',
    'mean_by_group',
    'ncm_labels',
    'nearest_other',
    'neural_collapse',
    'rank_correlation',
    'within_scatter',
]
