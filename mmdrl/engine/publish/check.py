"""Whether a published file measures what the run's checkpoint does: both are tested afresh."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from mmengine.config import Config

from mmdrl.engine.build import start
from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.config import load_config
from mmdrl.engine.held_out import shows_same_images
from mmdrl.engine.preflight import check_data_paths
from mmdrl.engine.quiet import quiet_runner
from mmdrl.engine.results import single_numbers, without_nan
from mmdrl.errors import ConfigError, DataError

Metrics = dict[str, float | None]


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
        runner = quiet_runner(cfg, str(checkpoint), content, folder, is_test=True)
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
