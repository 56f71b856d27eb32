"""Features of training and held-out images, as the measures want them: clean, and every image once."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmdrl.engine.features import visit_features
from mmdrl.errors import DataError
from mmdrl.visualization.bars import with_bar

from .space import View


class Images(NamedTuple):
    """What a model makes of a set of images.

    Attributes:
        features: Shape ``(N, D)``, float32, on the device of the model.
        labels: Shape ``(N,)``, long.
        predicted: Class that the model predicts, shape ``(N,)``, long.
    """

    features: Tensor
    labels: Tensor
    predicted: Tensor


def collect(view: View, loader: Any, title: str) -> Images:
    """Features, labels and predictions of all images of a loader, written into one tensor as they come.

    Raises:
        DataError: If there is no image, or features are not finite.
        ConfigError: If the head has no features.
    """
    total = len(loader.dataset)
    found: list[Tensor] = []
    filled = 0

    def keep(feats: tuple[Tensor, ...], labels: Tensor) -> None:
        nonlocal filled
        features, predicted = view.features(feats), view.predicted(feats)
        if not found:
            found.append(features.new_empty(total, features.shape[1]))
            found.extend(torch.empty(total, dtype=torch.long, device=labels.device) for _ in range(2))
        for store, values in zip(found, (features, labels, predicted), strict=True):
            store[filled : filled + len(values)] = values
        filled += len(labels)

    visit_features(view.model, with_bar(loader, title), keep)
    if not found:
        raise DataError(f'{title}: there is no image.')
    images = Images(*(store[:filled] for store in found))
    for rows in images.features.split(4096):
        if not bool(rows.isfinite().all()):
            raise DataError(f'{title}: features are not finite. Has training diverged?')
    return images
