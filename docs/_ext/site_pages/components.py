"""What the project offers: every registered class, every name of a package's ``__all__``, functions for programs.

Nothing is listed by name but those functions, so that a new class has its page as soon as it is registered.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from inspect import isclass, isfunction
from pkgutil import walk_packages
from typing import Any

import mmdrl
from mmdrl import errors, registry
from mmdrl.models.preprocessors.augments import BATCH_TRANSFORMS

# Title and folder of components by where they are defined; the first prefix that fits wins.
KINDS = (
    ('mmdrl.models.losses', 'losses', 'Losses'),
    ('mmdrl.models.radius', 'radius', 'Radius policies'),
    ('mmdrl.models.heads', 'heads', 'Heads'),
    ('mmdrl.models.classifiers', 'classifiers', 'Classifiers'),
    ('mmdrl.models.backbones', 'backbones', 'Backbones'),
    ('mmdrl.models.preprocessors.augments', 'augments', 'Augmentation of whole batches'),
    ('mmdrl.models.preprocessors.batch_preprocessor', 'augments', 'Augmentation of whole batches'),
    ('mmdrl.models.preprocessors', 'mixing', 'Mixing'),
    ('mmdrl.models', 'models', 'Parts of models'),
    ('mmdrl.datasets.mixing', 'mixing', 'Mixing'),
    ('mmdrl.datasets.samplers', 'samplers', 'Samplers'),
    ('mmdrl.datasets.transforms', 'transforms', 'Transforms'),
    ('mmdrl.datasets', 'datasets', 'Data sets'),
    ('mmdrl.engine.hooks', 'hooks', 'Hooks'),
    ('mmdrl.engine.loops', 'loops', 'Loops'),
    ('mmdrl.engine', 'engine', 'Programs of your own'),
    ('mmdrl.evaluation', 'evaluation', 'Evaluation'),
    ('mmdrl.visualization', 'visualization', 'Figures and tables'),
    ('mmdrl.functional', 'functional', 'Functions on tensors'),
    ('mmdrl.stats', 'stats', 'Class counts'),
    ('mmdrl.registry', 'registry', 'Registries'),
    ('mmdrl.errors', 'errors', 'Exceptions'),
    ('mmdrl', 'package', 'The package'),
)
# What a program of one's own calls. Their modules have no __all__: most of what is in them serves the tools.
FOR_PROGRAMS = (
    'mmdrl.engine.config.load_config',
    'mmdrl.engine.describe.describe_run',
    'mmdrl.engine.features.extract_features',
    'mmdrl.engine.predict.predict',
    'mmdrl.engine.predictions.read_predictions',
    'mmdrl.engine.predictions.write_predictions',
    'mmdrl.engine.run.evaluate',
    'mmdrl.engine.run.train_model',
    'mmdrl.engine.run_record.read_run',
    'mmdrl.engine.trained_model.config_of_checkpoint',
    'mmdrl.engine.trained_model.trained_model',
    'mmdrl.shipped.find_config',
    'mmdrl.shipped.shipped_configs',
)


@dataclass(frozen=True)
class Component:
    """Something with a page. ``name`` is where users import it from; ``node`` the registry's name, if registered."""

    name: str
    value: Any
    node: str | None = None

    @property
    def title(self) -> str:
        """Last part of the name."""
        return self.name.rpartition('.')[2]

    @property
    def kind(self) -> tuple[str, str]:
        """Folder and title of its kind."""
        defined_in = getattr(self.value, '__module__', '')
        place = defined_in if defined_in.startswith('mmdrl') else self.name.rpartition('.')[0]
        return next(kind[1:] for kind in KINDS if f'{place}.'.startswith(f'{kind[0]}.'))

    @property
    def page(self) -> str:
        """Path of its page below ``docs/reference``, without suffix."""
        return f'{self.kind[0]}/{self.title}'

    @property
    def summary(self) -> str:
        """First sentence of the docstring; of a plain value none."""
        if not (isclass(self.value) or isfunction(self.value)):
            return ''
        first = (self.value.__doc__ or '').strip().partition('\n\n')[0]
        return ' '.join(first.split())


@cache
def components() -> list[Component]:
    """Everything that has a page, by name; each object once."""
    nodes = registered()
    found: dict[int, Component] = {}
    for name, value in sorted(exported(), key=lambda pair: (pair[0].count('.'), pair[0])):
        found.setdefault(id(value), Component(name, value, nodes.get(value) if isclass(value) else None))
    for value, node in nodes.items():
        found.setdefault(id(value), Component(f'{value.__module__}.{value.__qualname__}', value, node))
    return sorted(found.values(), key=lambda component: component.title.lower())


def registered() -> dict[type, str]:
    """Classes registered in our scope, with the name of their registry node."""
    found = {}
    for node in (*vars(registry).values(), BATCH_TRANSFORMS):
        if is_registry(node):
            node.import_from_location()
            ours = (value for value in node.module_dict.values() if value.__module__.startswith('mmdrl.'))
            found.update(dict.fromkeys(ours, node.name))
    return found


def exported() -> Iterator[tuple[str, Any]]:
    """Names of every ``__all__`` of the package with what they are, exceptions, registries, :data:`FOR_PROGRAMS`."""
    for module in walk_packages(mmdrl.__path__, 'mmdrl.'):
        if module.ispkg:
            package = import_module(module.name)
            yield from ((f'{module.name}.{name}', getattr(package, name)) for name in getattr(package, '__all__', ()))
    yield from ((f'mmdrl.errors.{name}', value) for name, value in vars(errors).items() if isclass(value))
    yield from ((f'mmdrl.registry.{name}', value) for name, value in vars(registry).items() if is_registry(value))
    for name in FOR_PROGRAMS:
        place, _, function = name.rpartition('.')
        yield name, getattr(import_module(place), function)


def is_registry(value: Any) -> bool:
    """Whether it is a registry node of ours."""
    return isinstance(value, registry.ScopedRegistry) or value is BATCH_TRANSFORMS
