"""Maps of the features of a validation set, which take a pass over it."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from mmengine.runner import Runner

from mmdrl import visualization
from mmdrl.models import DRHead
from mmdrl.visualization.bars import with_bar

from .class_radii import radius_in_view
from .features import extract_features
from .model_parts import unwrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MapName = Literal['feature_map', 'tsne']
MAPS = get_args(MapName)
MAX_CLASSES = 100


def draw_maps(runner: Runner, names: Collection[str], settings: dict[str, Any]) -> dict[str, 'Figure']:
    """Maps by name; none if the head is no ``DRHead``, has over 100 classes or no centroids yet.

    Args:
        runner: With its validation loader; of several processes the share of this one is drawn.
        names: Some of ``MAPS``.
        settings: Edges of the shot groups.
    """
    model = unwrap(runner.model)
    head = getattr(model, 'head', None)
    if not isinstance(head, DRHead) or head.num_classes > MAX_CLASSES or not bool(head.centroids.is_seen.any()):
        return {}
    features, labels = extract_features(model, with_bar(runner.val_dataloader, 'feature map'))
    if not features.isfinite().all():
        runner.logger.warning('No feature map: features of the validation set are not finite.')
        return {}
    counts = head.class_counts.cpu().numpy() if bool(head.class_counts.any()) else None
    centroids = head.centroids.centroids.double().cpu().numpy()
    centroids = np.where(head.centroids.is_seen.cpu().numpy()[:, None], centroids, np.nan)
    classes = (runner.val_dataloader.dataset.metainfo or {}).get('classes')
    class_names = classes if classes is not None and len(classes) == head.num_classes else None
    arrays: dict[str, Any] = dict(
        features=features.numpy(),
        labels=labels.numpy(),
        centroids=centroids,
        class_names=class_names,
        class_counts=counts,
        **settings,
    )
    figures: dict[str, Figure] = {}
    if 'feature_map' in names:
        figures['feature_map'] = visualization.feature_map_figure(**arrays, radius=radius_in_view(head))
    if 'tsne' in names:
        figures['tsne'] = visualization.feature_embedding_figure(**arrays)
    return figures
