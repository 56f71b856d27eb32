"""Whether a published file measures what the run's checkpoint does: both are tested afresh."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.config import load_config
from mmdrl.engine.held_out import shows_same_images
from mmdrl.engine.preflight import check_data_paths
from mmdrl.engine.results import single_numbers, without_nan
from mmdrl.engine.run import runner_for, start
from mmdrl.errors import ConfigError, DataError

Metrics = dict[str, float | None]


def quiet_runner(cfg: Config, checkpoint: Path, content: dict[str, Any], folder: str, is_test: bool) -> Runner:
    """A runner whose model is that of a checkpoint, and which leaves nothing but in a temporary folder.

    Args:
        cfg: Of :func:`mmdrl.engine.config.load_config`; stays as it is.
        checkpoint: File.
        content: What it holds.
        folder: The temporary folder.
        is_test: Whether it is to test.
    """
    quiet = deepcopy(cfg)
    quiet.work_dir = quiet.experiment_name = folder  # MMEngine keeps loggers by name
    quiet.log_level, quiet.visualizer = 'WARNING', None
    for part in ('train', 'val') if is_test else ('train', 'val', 'test'):  # MMEngine wants all that belongs to each
        quiet[f'{part}_dataloader'] = quiet[f'{part}_cfg'] = quiet[f'{part}_evaluator'] = None
    quiet.optim_wrapper = quiet.param_scheduler = None
    quiet.env_cfg = dict(quiet.get('env_cfg') or {}, cudnn_benchmark=False)  # which may choose another way each time
    return runner_for(quiet, str(checkpoint), content)


def measure(config: Path, checkpoint: Path) -> Metrics:
    """Metrics of a checkpoint on the test set of a config, in a fresh model; nan as ``None``.

    Raises:
        MMDRLError: If config, data or checkpoint do not fit.
    """
    cfg = load_config(str(config), persistent_workers=False)
    if not isinstance(cfg.get('test_dataloader'), dict):
        raise ConfigError(f'{config.name} has no test_dataloader: there is nothing to measure the checkpoint on.')
    check_data_paths(cfg, ('test_dataloader',))
    content = read_checkpoint(str(checkpoint)) or {}
    with TemporaryDirectory() as folder:
        runner = quiet_runner(cfg, checkpoint, content, folder, is_test=True)
        metrics: Metrics = without_nan(single_numbers(start(runner.test, runner)))
    return metrics


def check_same(old: Mapping[str, float | None], new: Mapping[str, float | None], names: tuple[str, str]) -> None:
    """Two sets of metrics must be equal, to the last digit.

    Args:
        old: Metrics.
        new: Others.
        names: Whose they are, for the message.

    Raises:
        DataError: If one is not; the message has all that differ.
    """
    differ = differences(old, new)
    if differ:
        raise DataError(
            f'{names[1]} does not measure what {names[0]} does: {"; ".join(differ)}. Nothing was published. Were '
            'code, data or machine the same?'
        )


def differences(old: Mapping[str, float | None], new: Mapping[str, float | None]) -> list[str]:
    """Each metric that is not the same in both, in words."""
    found = []
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before != after:
            change = '' if before is None or after is None else f' ({after - before:+.4g})'
            found.append(f'{name} is {after}, not {before}{change}')
    return found


def tests_on_validation(cfg: Config) -> bool:
    """Whether validation and test of a config measure the same on the same images."""
    same_images = shows_same_images(cfg.get('val_dataloader'), cfg.get('test_dataloader'))
    return same_images and bool(cfg.get('val_evaluator') == cfg.get('test_evaluator'))
