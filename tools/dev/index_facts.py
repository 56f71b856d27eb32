"""What the model index says of a config: read from the config, from its model as built, and from result files."""

import ast
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from mmengine.analysis import FlopAnalyzer
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from torch import nn

from mmdrl.errors import ConfigError

ROOT = Path(__file__).parents[2]
DATASETS = {
    'cifar10_lt': 'CIFAR-10-LT',
    'cifar100_lt': 'CIFAR-100-LT',
    'digits_lt': 'Digits-LT',
    'imagenet_lt': 'ImageNet-LT',
    'inaturalist2018': 'iNaturalist 2018',
    'places_lt': 'Places-LT',
}
# Files of benchmarks/results whose runs are those of configs, and the names of the configs.
RESULT_FILES = {
    'digits_seeds.json': '{method}_r8_digits-lt-ir50',
    'digits_balancing.json': '{method}_r8_digits-lt-ir50',
}


@dataclass(frozen=True)
class Measured:
    """Top-1 accuracy over all test images, percent, of runs that differ in their seed."""

    accuracies: tuple[float, ...]
    file: str

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return mean(self.accuracies)

    @property
    def deviation(self) -> float:
        """Standard deviation over the seeds; nan for one."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else math.nan


@dataclass(frozen=True)
class Facts:
    """Of one config; paths are relative to the repository. ``inherits``: names of the configs in its ``_base_``."""

    name: str
    path: str
    dataset: str
    method: str
    inherits: tuple[str, ...]
    epochs: tuple[int, ...]
    batch_size: int
    command: str
    parameters: int
    flops: int
    measured: Measured | None

    @property
    def variant(self) -> str:
        """The name without the method: model, set, and ratio or epochs."""
        return self.name.partition('_')[2]


class ModelSizes:
    """Parameters and FLOPs of models; a backbone is built once, whatever heads it has."""

    def __init__(self) -> None:
        self._backbones: dict[str, nn.Module] = {}
        self._flops: dict[str, int] = {}

    def __call__(self, model: dict[str, Any], image_size: int) -> tuple[int, int]:
        """Parameters, and multiply-adds of one image as ``mmengine.analysis`` counts them.

        Args:
            model: Config of a classifier.
            image_size: Height and width of an image, pixels.
        """
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            key = json.dumps(model['backbone'])
            if key not in self._backbones:
                self._backbones[key] = MODELS.build(model['backbone'])
            built = MODELS.build(dict(model, backbone=self._backbones[key])).eval()
        seen_by_flops = {k: v for k, v in model['head'].items() if k in ('num_classes', 'classifier')}
        key = json.dumps([model['backbone'], model['neck'], seen_by_flops, image_size])
        if key not in self._flops:
            image = torch.zeros(1, model['backbone'].get('in_channels', 3), image_size, image_size)
            count = FlopAnalyzer(built, image).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            self._flops[key] = int(count.total())
        return sum(p.numel() for p in built.parameters()), self._flops[key]


def read_configs() -> list[Facts]:
    """Facts of every config below a folder of ``configs/``, sorted by path.

    Raises:
        ConfigError: If a config lacks what the index says of it.
    """
    measured, sizes, aliases = read_measured(), ModelSizes(), read_aliases()
    paths = sorted(path for path in (ROOT / 'configs').glob('*/*.py') if path.parent.name != '_base_')
    return [facts_of(path, measured.get(path.stem), sizes, aliases) for path in paths]


def facts_of(path: Path, measured: Measured | None, sizes: ModelSizes, aliases: dict[Path, Path]) -> Facts:
    """Facts of one config."""
    if path.parent.name not in DATASETS:
        raise ConfigError(f'{path.parent} is a new folder of configs: name its data set in tools/dev/index_facts.py.')
    cfg = Config.fromfile(path)
    stages = cfg.default_hooks.get('stages', {}).get('stages', [])
    parameters, flops = sizes(cfg.model.to_dict(), image_size(cfg))
    batch_size = cfg.auto_scale_lr.base_batch_size
    gpus = 0 if path.parent.name == 'digits_lt' else batch_size // cfg.train_dataloader.batch_size
    command = f'mim train mmdrl {aliases.get(path, path).relative_to(ROOT).as_posix()} --gpus {gpus}'
    return Facts(
        name=path.stem,
        path=path.relative_to(ROOT).as_posix(),
        dataset=DATASETS[path.parent.name],
        method=first_sentence(path),
        inherits=tuple(Path(base).stem for base in bases(path)),
        epochs=tuple(stage.epochs for stage in stages) or (cfg.train_cfg.max_epochs,),
        batch_size=batch_size,
        command=command,
        parameters=parameters,
        flops=flops,
        measured=measured,
    )


def first_sentence(path: Path) -> str:
    """The first sentence of the comment that a config begins with, without its full stop.

    Raises:
        ConfigError: If it begins with none.
    """
    comment = re.match(r'(?:#.*\n)+', path.read_text())
    if comment is None:
        raise ConfigError(f'{path} must begin with a comment whose first sentence says what the method is.')
    text = re.sub(r'\s*\n?#\s*', ' ', comment[0]).strip()
    return re.split(r'(?<!et al)\.(?:\s|$)', text)[0]


def bases(path: Path) -> list[str]:
    """What stands in the ``_base_`` of a config."""
    for line in ast.parse(path.read_text()).body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == '_base_':
            found = ast.literal_eval(line.value)
            return [found] if isinstance(found, str) else list(found)
    return []


def image_size(cfg: Config) -> int:
    """Height and width of a test image, pixels: of the test pipeline's crop, else of the training pipeline's.

    Raises:
        ConfigError: If neither crops.
    """
    for dataset in (cfg.test_dataloader.dataset, cfg.train_dataloader.dataset):
        pipeline = dataset.get('pipeline') or dataset.dataset.pipeline
        sizes = [step.crop_size for step in pipeline if 'crop_size' in step]
        if sizes:
            return int(sizes[-1])
    raise ConfigError(f'{cfg.filename}: expected a transform with crop_size in the test or training pipeline.')


def read_aliases() -> dict[Path, Path]:
    """By config, the short name at the top of ``configs/`` that stands for it."""
    return {(alias.parent / bases(alias)[0]).resolve(): alias for alias in (ROOT / 'configs').glob('*.py')}


def read_measured() -> dict[str, Measured]:
    """What the result files hold, by config; of two files that have the same runs, the first."""
    found: dict[str, Measured] = {}
    for file, config in RESULT_FILES.items():
        by_name: dict[str, list[float]] = {}
        for run in json.loads((ROOT / 'benchmarks/results' / file).read_text())['runs']:
            by_name.setdefault(config.format(method=run['method']), []).append(run['metrics']['all'])
        for name, accuracies in by_name.items():
            found.setdefault(name, Measured(tuple(accuracies), f'benchmarks/results/{file}'))
    return found
