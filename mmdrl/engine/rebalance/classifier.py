"""The last layer of a model: the only part that rebalancing changes."""

from typing import Any, NamedTuple

from mmpretrain.models.heads import ClsHead, LinearClsHead, VisionTransformerClsHead
from torch import nn

from mmdrl.errors import ConfigError
from mmdrl.models import CosineClassifier, DRHead, LWSClassifier


class LastLayer(NamedTuple):
    """What gives the scores.

    Attributes:
        name: In the model, such as ``'head.fc'``.
        module: A linear layer, ``LWSClassifier`` or ``CosineClassifier``, from the features that ``head.pre_logits``
            gives to scores, of which the largest is the answer.
    """

    name: str
    module: nn.Linear


def last_layer(model: Any) -> LastLayer:
    """The last layer of an image classifier.

    Args:
        model: Not wrapped.

    Raises:
        ConfigError: If its head predicts by something else.
    """
    head: Any = getattr(model, 'head', None)
    kind = type(head)
    forward = getattr(kind, 'forward', None)
    layer: Any = None
    if getattr(kind, 'predict', None) in (ClsHead.predict, DRHead.predict):
        if forward is LinearClsHead.forward:
            name, layer = 'fc', head.fc
        elif forward is VisionTransformerClsHead.forward:
            name, layer = 'layers.head', head.layers.head
    if layer is None:
        raise ConfigError(
            'Rebalancing changes the last linear layer, and needs a head that predicts by it alone: mmdrl.DRHead, or '
            f"MMPretrain's LinearClsHead or VisionTransformerClsHead; this one is {kind.__name__}."
        )
    if getattr(head, 'predict_with', 'classifier') != 'classifier' or getattr(head, 'logit_adjustment', 0):
        raise ConfigError(
            f'The head predicts with predict_with={head.predict_with!r} and logit_adjustment={head.logit_adjustment}, '
            'which is a rule already. Leave both out, with --cfg-options model.head.predict_with=classifier '
            'model.head.logit_adjustment=0, and test without them.'
        )
    if not (isinstance(layer, (CosineClassifier, LWSClassifier)) or type(layer).forward is nn.Linear.forward):
        raise ConfigError(
            f'Rebalancing knows linear layers, mmdrl.LWSClassifier and mmdrl.CosineClassifier, got '
            f'{type(layer).__name__}. Without classifier=... in model.head it is a linear layer, which takes the same '
            'weight and bias.'
        )
    return LastLayer(f'head.{name}', layer)
