"""Predicted and true labels of data samples, for the linear classifier or the nearest class mean."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from mmdrl.errors import ConfigError, DataError

Classifier = Literal['linear', 'ncm']

_FIELD = {'linear': 'pred_label', 'ncm': 'ncm_label'}


def checked_classifier(classifier: Classifier) -> Classifier:
    """The name as given.

    Raises:
        ConfigError: If it is none.
    """
    if classifier not in get_args(Classifier):
        raise ConfigError(f'classifier must be one of {get_args(Classifier)}, got {classifier!r}.')
    return classifier


def label_pairs(data_samples: Sequence[dict], classifier: Classifier) -> list[tuple[int, int]]:
    """One pair (predicted, true) per sample; predicted is -1 where no sample has an ``ncm_label``.

    Raises:
        DataError: If samples lack the prediction, or one has several labels.
    """
    field = _FIELD[classifier]
    num_predicted = sum(field in sample for sample in data_samples)
    if num_predicted < len(data_samples) and (num_predicted or classifier == 'linear'):
        raise DataError(
            f"Every data sample needs '{field}' for classifier='{classifier}', "
            f'but {len(data_samples) - num_predicted} of {len(data_samples)} lack it. '
            'Does the head predict it?'
        )
    target = flat_labels(data_samples, 'gt_label').tolist()
    pred = flat_labels(data_samples, field).tolist() if num_predicted else [-1] * len(data_samples)
    return list(zip(pred, target, strict=True))


def known_predictions(
    results: list[tuple[int, int]], classifier: Classifier
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]]:
    """Predicted labels, shape ``(N,)`` or ``None`` if no sample has one, and the true ones.

    Raises:
        DataError: If only some samples have one.
    """
    pred, target = np.asarray(results, dtype=np.int64).reshape(-1, 2).T
    is_missing = pred < 0
    if not is_missing.any() and pred.size:
        return pred, target
    if not is_missing.all():
        raise DataError(
            f"{is_missing.sum()} of {len(pred)} samples lack '{_FIELD[classifier]}' and the others have it. "
            'Were the centroids of all processes set at the same time?'
        )
    return None, target


def flat_labels(data_samples: Sequence[dict], field: str) -> torch.Tensor:
    """One label per sample, shape ``(B,)``, where the samples are.

    Raises:
        DataError: If one has several.
    """
    labels = [sample[field] for sample in data_samples]
    if not all(isinstance(label, torch.Tensor) and label.shape == (1,) for label in labels):
        labels = [torch.as_tensor(label).reshape(-1) for label in labels]
    if any(len(label) != 1 for label in labels):
        raise DataError(f"'{field}' must be one label per sample; multi-label data have no shot accuracy.")
    return torch.cat(labels)
