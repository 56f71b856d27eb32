"""The one function that MMEngine looks up as ``<package>.utils.register_all_modules``.

``mmengine.hub.get_model('mmdrl::...')`` and some of OpenMMLab's tools import it by that name: hence this
file, and nothing else belongs in it.
"""

from datetime import datetime
from importlib import import_module

from mmengine.registry import DefaultScope

PARTS = ('models', 'datasets', 'engine', 'evaluation', 'visualization')


def register_all_modules(init_default_scope: bool = True) -> None:
    """Fill the registries with all of mmdrl.

    Args:
        init_default_scope: Also make ``mmdrl`` the current default scope. Bare names are then ours first and
            MMPretrain's otherwise.
    """
    for part in PARTS:
        import_module(f'mmdrl.{part}')
    scope = DefaultScope.get_current_instance()
    if init_default_scope and (scope is None or scope.scope_name != 'mmdrl'):
        DefaultScope.get_instance(f'mmdrl-{datetime.now()}', scope_name='mmdrl')
