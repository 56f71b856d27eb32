"""Features of a whole data set under the model as it is."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from mmdrl.batch_samples import BatchSamples

from .model_parts import unwrap


@torch.no_grad()
def visit_features(
    model: nn.Module, loader: Iterable[Any], visit: Callable[[tuple[Tensor, ...], Tensor], None]
) -> None:
    """Show the features of all images, batch by batch, with the model in eval mode.

    Args:
        model: An MMPretrain ``ImageClassifier``, wrapped or not; the training mode of each of its parts is left
            as it was, that of frozen ones too.
        loader: Batches as MMEngine makes them.
        visit: Called with what the neck hands over, one tensor per layer, and the labels, shape ``(B,)``, both on
            the device of the model.
    """
    classifier: Any = unwrap(model)
    modes = [(module, module.training) for module in classifier.modules()]
    classifier.eval()
    try:
        for batch in loader:
            batch = classifier.data_preprocessor(batch, training=False)
            samples = batch['data_samples']
            labels = samples.labels if isinstance(samples, BatchSamples) else None
            if labels is None:
                labels = torch.cat([sample.gt_label for sample in samples])
            visit(classifier.extract_feat(batch['inputs']), labels)
    finally:
        for module, was_training in modes:
            module.training = was_training


def extract_features(model: nn.Module, loader: Iterable[Any]) -> tuple[Tensor, Tensor]:
    """What the head of an image classifier sees of every image, in eval mode.

    Args:
        model: An MMPretrain ``ImageClassifier``, wrapped or not; its training mode is left as it was.
        loader: Batches as MMEngine makes them.

    Returns:
        Features, shape ``(N, D)``, and labels, shape ``(N,)``, on the CPU.
    """
    head = unwrap(model).head
    features: list[Tensor] = []
    labels: list[Tensor] = []

    def keep(feats: tuple[Tensor, ...], batch_labels: Tensor) -> None:
        features.append(head.pre_logits(feats).float().cpu())
        labels.append(batch_labels.cpu())

    visit_features(model, loader, keep)
    return torch.cat(features), torch.cat(labels)
