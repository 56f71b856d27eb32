"""Pure maths on tensors: no registry, no config, no state."""

from .robust import class_centroids, dr_loss, nearest_centroid

__all__ = ['class_centroids', 'dr_loss', 'nearest_centroid']
