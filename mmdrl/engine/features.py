"""Features of a whole data set under the model as it is."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from .model_parts import unwrap


@torch.no_grad()
def extract_features(model: nn.Module, loader: DataLoader) -> tuple[Tensor, Tensor]:
    """What the head of an image classifier sees of every image, in eval mode.

    Args:
        model: An MMPretrain ``ImageClassifier``, wrapped or not; its training mode is left as it was.
        loader: Batches as MMEngine makes them.

    Returns:
        Features, shape ``(N, D)``, and labels, shape ``(N,)``, on the CPU.
    """
    classifier: Any = unwrap(model)
    was_training = classifier.training
    classifier.eval()
    features, labels = [], []
    for batch in loader:
        batch = classifier.data_preprocessor(batch, training=False)
        feats = classifier.extract_feat(batch['inputs'])
        features.append(classifier.head.pre_logits(feats).float().cpu())
        labels.append(torch.cat([sample.gt_label for sample in batch['data_samples']]).cpu())
    classifier.train(was_training)
    return torch.cat(features), torch.cat(labels)
