"""The models of mmdrl beside those of MMPretrain: ``mmpretrain.get_model('drl_r8_digits-lt-ir50')``.

MMPretrain reads its own model index when its hub is asked for the first time. Ours is read right after that, so that
importing either package costs nothing, and a mistake in our index never reaches MMPretrain's models.
"""

import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

from mmdrl.import_hook import when_imported
from mmdrl.shipped import shipped_folder


def offer_models() -> None:
    """Let MMPretrain's model hub know our models, as soon as there is one."""
    when_imported('mmpretrain.apis.model', _join)


def _join(apis: ModuleType) -> None:
    hub: Any = getattr(apis, 'ModelHub', None)
    theirs = getattr(hub, '_register_mmpretrain_models', None)
    if theirs is not None and not hasattr(theirs, 'has_ours'):
        hub._register_mmpretrain_models = _Both(hub, theirs)


class _Both:
    """Has the hub read MMPretrain's index, as before, and then ours, once: a reloaded module has a new hub."""

    def __init__(self, hub: Any, theirs: Callable[[], None]):
        self.hub = hub
        self.theirs = theirs
        self.has_ours = False

    def __call__(self) -> None:
        self.theirs()
        if not self.has_ours:
            self.has_ours = True
            _register(self.hub)


def _register(hub: Any) -> None:
    folder = shipped_folder()
    if folder is None:
        problem = 'this installation of mmdrl lacks it. Install it again.'
    else:
        try:
            hub.register_model_index(folder / 'model-index.yml', config_prefix=folder)
            return
        except Exception as error:  # of a parser that is not ours
            problem = f'{folder / "model-index.yml"} or what it names cannot be read: {type(error).__name__}: {error}'
    warnings.warn(f'Models of mmdrl are missing in the model index: {problem}', stacklevel=4)
