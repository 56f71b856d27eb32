"""A runner that leaves nothing behind, for looking at a trained model."""

from copy import deepcopy
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from .build import runner_for


def quiet_runner(cfg: Config, checkpoint: str, content: dict[str, Any], folder: str, is_test: bool = False) -> Runner:
    """A runner whose model is that of a checkpoint, and which leaves nothing but in a temporary folder.

    Args:
        cfg: Of :func:`mmdrl.engine.config.load_config`; stays as it is.
        checkpoint: Path or address.
        content: What it holds.
        folder: The temporary folder.
        is_test: Whether it is to test.

    Raises:
        MMDRLError: If config, checkpoint or machine do not fit.
    """
    quiet = deepcopy(cfg)
    quiet.work_dir = quiet.experiment_name = folder  # MMEngine keeps loggers by name
    quiet.log_level, quiet.visualizer = 'WARNING', None
    for part in ('train', 'val') if is_test else ('train', 'val', 'test'):  # MMEngine wants all that belongs to each
        quiet[f'{part}_dataloader'] = quiet[f'{part}_cfg'] = quiet[f'{part}_evaluator'] = None
    quiet.optim_wrapper = quiet.param_scheduler = None
    quiet.env_cfg = dict(quiet.get('env_cfg') or {}, cudnn_benchmark=False)  # which may choose another way each time
    return runner_for(quiet, checkpoint, content)
