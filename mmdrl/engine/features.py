"""Features of a whole data set under the model as it is."""

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, nn
from torch.utils.data import DataLoader


@torch.no_grad()
def extract_features(model: nn.Module, loader: DataLoader) -> tuple[Tensor, Tensor]:
    """What the head of an image classifier sees of every image, in eval mode.

    Args:
        model: An MMPretrain ``ImageClassifier``, wrapped or not; its training mode is left as it was.
        loader: Batches as MMEngine makes them.

    Returns:
        Features, shape ``(N, D)``, and labels, shape ``(N,)``, on the CPU.
    """
    model = model.module if is_model_wrapper(model) else model
    was_training = model.training
    model.eval()
    features, labels = [], []
    for batch in loader:
        batch = model.data_preprocessor(batch, training=False)
        feats = model.extract_feat(batch['inputs'])
        features.append(model.head.pre_logits(feats).float().cpu())
        labels.append(torch.cat([sample.gt_label for sample in batch['data_samples']]).cpu())
    model.train(was_training)
    return torch.cat(features), torch.cat(labels)
