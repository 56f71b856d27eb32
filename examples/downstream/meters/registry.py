"""Registries of scope ``meters``. MMEngine imports this module when it meets a name such as ``meters.MeterNet``."""

from mmengine import registry as root
from mmengine.registry import Registry

MODELS = Registry('model', parent=root.MODELS, scope='meters', locations=['meters.backbone', 'meters.head'])
DATASETS = Registry('dataset', parent=root.DATASETS, scope='meters', locations=['meters.dataset'])
