"""Pure maths on tensors: no registry, no config, no state."""

from .balance import ClassWeight, class_weights
from .centroids import class_centroids, nearest_centroid
from .checks import UnusableValueError, check_labels, non_finite_class
from .distance import Distance, at_least_float32, directions
from .image_batches import normalized_images
from .ldam import ldam_margins, subtract_margin
from .linear_rules import ncm_as_linear, tau_normalized
from .logit_adjustment import adjust_logits, log_prior
from .mixing import remix_weights
from .precision import without_autocast
from .robust import Scope, dr_loss

__all__ = [
    'ClassWeight',
    'Distance',
    'Scope',
    'UnusableValueError',
    'adjust_logits',
    'at_least_float32',
    'check_labels',
    'class_centroids',
    'class_weights',
    'directions',
    'dr_loss',
    'ldam_margins',
    'log_prior',
    'ncm_as_linear',
    'nearest_centroid',
    'non_finite_class',
    'normalized_images',
    'remix_weights',
    'subtract_margin',
    'tau_normalized',
    'without_autocast',
]
