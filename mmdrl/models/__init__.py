"""Everything of a model that mmdrl adds to MMPretrain."""

from mmdrl.hashed_files import register_loaders
from mmdrl.safe_globals import register_safe_globals

from .backbones import ResNet8, ResNet32, SmallResNet
from .centroids import ClassCentroids
from .class_counts import KeepsClassCounts
from .classifiers import CosineClassifier, LWSClassifier, TauNormClassifier
from .heads import DRHead, DRLayer
from .losses import BalancedSoftmaxLoss, ClassBalancedLoss, DRLoss, LDAMLoss, LogitAdjustedLoss
from .preprocessors import BatchDataPreprocessor, RemixDataPreprocessor
from .radius import ClassStatistics, CountRadius, LearnedRadius, MeasuredRadius, RadiusPolicy, SharedRadius

__all__ = [
    'BalancedSoftmaxLoss',
    'BatchDataPreprocessor',
    'ClassBalancedLoss',
    'ClassCentroids',
    'ClassStatistics',
    'CosineClassifier',
    'CountRadius',
    'DRHead',
    'DRLayer',
    'DRLoss',
    'KeepsClassCounts',
    'LDAMLoss',
    'LWSClassifier',
    'LearnedRadius',
    'LogitAdjustedLoss',
    'MeasuredRadius',
    'RadiusPolicy',
    'RemixDataPreprocessor',
    'ResNet8',
    'ResNet32',
    'SharedRadius',
    'SmallResNet',
    'TauNormClassifier',
]

register_safe_globals()  # wherever a model of ours is built, its checkpoints load
register_loaders()  # and what their names promise is looked at
