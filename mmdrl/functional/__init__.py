"""Pure maths on tensors: no registry, no config, no state."""

from .balance import ClassWeight, class_weights
from .centroids import class_centroids, nearest_centroid
from .checks import UnusableValueError, check_labels, first_non_finite
from .distance import Distance, at_least_float32, directions
from .robust import Scope, dr_loss

__all__ = [
    'ClassWeight',
    'Distance',
    'Scope',
    'UnusableValueError',
    'at_least_float32',
    'check_labels',
    'class_centroids',
    'class_weights',
    'directions',
    'dr_loss',
    'first_non_finite',
    'nearest_centroid',
]
