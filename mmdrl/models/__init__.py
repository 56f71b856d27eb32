"""Everything of a model that mmdrl adds to MMPretrain."""

from mmdrl.safe_globals import register_safe_globals

from .backbones import ResNet8, ResNet32, SmallResNet
from .centroids import ClassCentroids
from .heads import DRHead, DRLayer
from .losses import DRLoss
from .radius import ClassStatistics, CountRadius, LearnedRadius, MeasuredRadius, RadiusPolicy, SharedRadius

__all__ = [
    'ClassCentroids',
    'ClassStatistics',
    'CountRadius',
    'DRHead',
    'DRLayer',
    'DRLoss',
    'LearnedRadius',
    'MeasuredRadius',
    'RadiusPolicy',
    'ResNet8',
    'ResNet32',
    'SharedRadius',
    'SmallResNet',
]

register_safe_globals()  # wherever a model of ours is built, its checkpoints load
