"""Distributionally robust long-tail learning for MMPretrain.

Importing the package checks the installed OpenMMLab packages, makes ``mmdrl::`` usable in ``_base_`` and adds our
models to those that MMPretrain lists. It imports none of these packages, nor torch, nor a model: configs name those
as ``mmdrl.<class>``, which imports them on demand.
"""

from importlib import import_module
from types import ModuleType

from mmdrl.host import allow_inheritance, check_host
from mmdrl.model_hub import offer_models
from mmdrl.version import __version__

check_host()
allow_inheritance()
offer_models()

__all__ = ['__version__']


def __getattr__(name: str) -> ModuleType:
    """Load ``mmdrl.functional`` and ``mmdrl.stats`` when they are first used."""
    if name in ('functional', 'stats'):
        return import_module(f'mmdrl.{name}')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
