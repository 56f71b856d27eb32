"""Classifiers for ``DRHead(classifier=...)``; what they learn has the names that it has in a plain linear one."""

from .cosine import CosineClassifier
from .lws import LWSClassifier
from .tau_norm import TauNormClassifier

__all__ = ['CosineClassifier', 'LWSClassifier', 'TauNormClassifier']
