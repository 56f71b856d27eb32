"""Distributionally robust long-tail learning for MMPretrain.

Importing the package checks the installed OpenMMLab packages, makes ``mmdrl::`` usable in ``_base_``, adds our
models to those that MMPretrain lists, bounds the images that cv2 decodes, and has MMEngine lay out the text of a config
once. It imports none of these packages, nor torch, nor a model: configs name those as ``mmdrl.<class>``, which imports
them on demand.
"""

from importlib import import_module
from types import ModuleType

from mmdrl.config_text import remember_layout
from mmdrl.host import allow_inheritance, bound_pixels, check_host
from mmdrl.model_hub import offer_models
from mmdrl.version import __version__

check_host()
allow_inheritance()
bound_pixels()
offer_models()
remember_layout()

__all__ = ['__version__']


def __getattr__(name: str) -> ModuleType:
    """Load ``mmdrl.functional`` and ``mmdrl.stats`` when they are first used."""
    if name in ('functional', 'stats'):
        return import_module(f'mmdrl.{name}')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
