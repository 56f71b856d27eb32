"""Pure maths on tensors: no registry, no config, no state."""

from .centroids import class_centroids, nearest_centroid
from .distance import Distance
from .robust import Scope, dr_loss

__all__ = ['Distance', 'Scope', 'class_centroids', 'dr_loss', 'nearest_centroid']
