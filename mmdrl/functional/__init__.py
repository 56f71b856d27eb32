"""Pure maths on tensors: no registry, no config, no state."""

from .balance import ClassWeight, class_weights
from .centroids import class_centroids, nearest_centroid
from .checks import first_non_finite
from .distance import Distance
from .robust import Scope, dr_loss

__all__ = [
    'ClassWeight',
    'Distance',
    'Scope',
    'class_centroids',
    'class_weights',
    'dr_loss',
    'first_non_finite',
    'nearest_centroid',
]
