"""Registry nodes of scope ``mmdrl``, one of each kind, under MMEngine's root.

``type='mmdrl.DRLoss'`` resolves from any config, because MMEngine imports this module when it meets
the scope. Dicts inherited through ``_base_ = 'mmdrl::...'`` carry ``_scope_='mmdrl'``, so the bare
MMPretrain names inside them are looked up here and handed on to MMPretrain's registry. So are names with a
scope that MMEngine does not find below its root: a project may have hung its registries below MMPretrain's.
"""

from importlib import import_module

from mmengine import registry as root
from mmengine.registry import Registry


class ScopedRegistry(Registry):
    """Registry of scope ``mmdrl`` whose unknown bare names are MMPretrain's.

    Args:
        node: Name of this node here and in ``mmpretrain.registry``, such as ``'MODELS'``.
        parent: MMEngine's root registry of the same kind.
        location: Module whose import registers everything of this kind.
    """

    def __init__(self, node: str, parent: Registry, location: str):
        super().__init__(parent.name, parent=parent, scope='mmdrl', locations=[location])
        self._node = node

    def get(self, key: str) -> type | None:
        """Class registered as ``key``: ours, else MMPretrain's or that of a scope below it, else MMEngine's."""
        self.import_from_location()
        if '.' in key or key in self._module_dict:
            found = super().get(key)
            if found is not None or key.startswith('mmdrl.'):
                return found
        host: Registry = getattr(import_module('mmpretrain.registry'), self._node, self.parent)
        return host.get(key)


MODELS = ScopedRegistry('MODELS', root.MODELS, 'mmdrl.models')
MODEL_WRAPPERS = ScopedRegistry('MODEL_WRAPPERS', root.MODEL_WRAPPERS, 'mmdrl.models')
WEIGHT_INITIALIZERS = ScopedRegistry('WEIGHT_INITIALIZERS', root.WEIGHT_INITIALIZERS, 'mmdrl.models')
TASK_UTILS = ScopedRegistry('TASK_UTILS', root.TASK_UTILS, 'mmdrl.models')
DATASETS = ScopedRegistry('DATASETS', root.DATASETS, 'mmdrl.datasets')
DATA_SAMPLERS = ScopedRegistry('DATA_SAMPLERS', root.DATA_SAMPLERS, 'mmdrl.datasets')
FUNCTIONS = ScopedRegistry('FUNCTIONS', root.FUNCTIONS, 'mmdrl.datasets')
TRANSFORMS = ScopedRegistry('TRANSFORMS', root.TRANSFORMS, 'mmdrl.datasets')
RUNNERS = ScopedRegistry('RUNNERS', root.RUNNERS, 'mmdrl.engine')
RUNNER_CONSTRUCTORS = ScopedRegistry('RUNNER_CONSTRUCTORS', root.RUNNER_CONSTRUCTORS, 'mmdrl.engine')
LOOPS = ScopedRegistry('LOOPS', root.LOOPS, 'mmdrl.engine')
HOOKS = ScopedRegistry('HOOKS', root.HOOKS, 'mmdrl.engine')
LOG_PROCESSORS = ScopedRegistry('LOG_PROCESSORS', root.LOG_PROCESSORS, 'mmdrl.engine')
OPTIMIZERS = ScopedRegistry('OPTIMIZERS', root.OPTIMIZERS, 'mmdrl.engine')
OPTIM_WRAPPERS = ScopedRegistry('OPTIM_WRAPPERS', root.OPTIM_WRAPPERS, 'mmdrl.engine')
OPTIM_WRAPPER_CONSTRUCTORS = ScopedRegistry(
    'OPTIM_WRAPPER_CONSTRUCTORS', root.OPTIM_WRAPPER_CONSTRUCTORS, 'mmdrl.engine'
)
PARAM_SCHEDULERS = ScopedRegistry('PARAM_SCHEDULERS', root.PARAM_SCHEDULERS, 'mmdrl.engine')
METRICS = ScopedRegistry('METRICS', root.METRICS, 'mmdrl.evaluation')
EVALUATORS = ScopedRegistry('EVALUATORS', root.EVALUATOR, 'mmdrl.evaluation')
VISUALIZERS = ScopedRegistry('VISUALIZERS', root.VISUALIZERS, 'mmdrl.visualization')
VISBACKENDS = ScopedRegistry('VISBACKENDS', root.VISBACKENDS, 'mmdrl.visualization')
