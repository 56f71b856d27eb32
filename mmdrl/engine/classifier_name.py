"""What a model predicts with, in a word."""

from typing import Any

from mmdrl.models import CosineClassifier, LWSClassifier, TauNormClassifier

_NAMES = {CosineClassifier: 'cosine', LWSClassifier: 'LWS', TauNormClassifier: 'tau-norm'}


def classifier_name(model: Any, rebalanced: dict[str, Any] | None = None) -> str:
    """Name of the rule whose labels stand under ``linear`` in the measures.

    Args:
        model: Not wrapped.
        rebalanced: What a rebalanced checkpoint says of itself, ``meta['rebalance']``.

    Returns:
        Such as ``'linear'``, ``'cosine'``, ``'linear, adjusted 1'``, ``'rebalanced: tau-norm 0.8'``.
    """
    if rebalanced:
        strength = rebalanced.get('strength')
        return f'rebalanced: {rebalanced.get("rule")}' + (f' {strength:g}' if isinstance(strength, float) else '')
    head = getattr(model, 'head', None)
    if getattr(head, 'predict_with', 'classifier') == 'ncm':
        return 'predicts by ncm'
    name = next((name for kind, name in _NAMES.items() if isinstance(getattr(head, 'fc', None), kind)), 'linear')
    tau = getattr(head, 'logit_adjustment', 0)
    return f'{name}, adjusted {tau:g}' if tau else name
