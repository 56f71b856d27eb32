"""Backbones that MMPretrain lacks."""

from .small_resnet import ResNet8, ResNet32, SmallResNet

__all__ = ['ResNet8', 'ResNet32', 'SmallResNet']
