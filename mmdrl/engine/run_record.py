"""All that the work folder of a run tells, read back for figures and reports.

A run that has ended left ``results.json``; one that was broken off has logs alone, and a record says so in its notes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config
from numpy.typing import NDArray

from mmdrl.errors import ConfigError, DataError

from .config import stage_hooks
from .dumped_config import read_dumped
from .predictions import PREDICTIONS, read_predictions
from .results import FILE_NAME, read_results
from .training_log import SCALARS, read_log


@dataclass(frozen=True)
class RunRecord:
    """What one run has left behind.

    Attributes:
        folder: Its work folder.
        name: Name of that folder.
        results: Content of ``results.json``; empty if the run has not ended.
        config: The config it was trained with, as the run has dumped it.
        train: Logged scalars of training in order: ``iter`` (finished iterations), ``epoch``, losses, ``lr``, and
            ``stage``, the name, if the run has stages.
        val: One entry per validation: metrics, ``iter``, ``epoch`` unless the run counts none, ``stage`` likewise.
        predictions: ``label``, ``linear``, ``ncm``, ``confidence`` and ``brier`` of every validation image, as far as
            the last validation has measured them.
        notes: What is missing or damaged, a sentence each.
    """

    folder: Path
    name: str
    results: dict[str, Any]
    config: Config | None
    train: list[dict[str, Any]]
    val: list[dict[str, Any]]
    predictions: dict[str, NDArray[Any]] | None
    notes: list[str] = field(default_factory=list)

    @property
    def is_finished(self) -> bool:
        """Whether the run has reached its end."""
        return bool(self.results)

    @property
    def config_name(self) -> str:
        """Name of the config, or of the folder if nothing tells it."""
        return self.results.get('config') or (self.config and Path(self.config.filename or '').stem) or self.name

    @property
    def stage_names(self) -> list[str]:
        """Names of the stages in order; empty if the run has none."""
        return _stage_names(self.config, self.results)


def sort_out(folders: Sequence[str | Path], *, only_ended: bool = False) -> tuple[list[Path], list[str]]:
    """The runs among paths, as a shell makes them of ``work_dirs/*``, and a sentence for each other one.

    Args:
        folders: Work folders; figures, reports and files may lie between them.
        only_ended: Whether a run without results counts as another.

    Returns:
        The work folders and the sentences. A path that is not there, and all paths if none is a run, stay
        among the folders: reading them tells what is wrong.
    """
    given = [*map(Path, folders)]
    runs, told = [], []
    for path in given:
        has_log = any(path.glob(f'*/{SCALARS}')) if path.is_dir() else False
        if (path / FILE_NAME).is_file() or not path.exists() or (has_log and not only_ended):
            runs.append(path)
        else:
            told.append(f'{path}: {"a run that has not ended" if has_log else "no run"}, left out.')
    return (runs, told) if runs else (given, [])


def read_run(folder: str | Path) -> RunRecord:
    """Record of the run in a work folder.

    Raises:
        DataError: If there is no such folder, no run has left anything in it, or its results are damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f'Expected the work folder of a run, found no folder {folder}. Is the path right?')
    notes: list[str] = []
    results = read_results(folder) if (folder / FILE_NAME).is_file() else {}
    started = sorted(path.parents[1] for path in folder.glob(f'*/{SCALARS}'))
    if not results and not started:
        raise DataError(
            f'Expected a run in {folder}, found neither {FILE_NAME} nor a log */{SCALARS}. Give the work folder '
            'itself, such as work_dirs/drl_r8_digits-lt.'
        )
    named = [folder / Path(str(name)).name for name in results.get('log_folders') or ()]  # below the folder, always
    parts = named or started
    if not results:
        notes.append(f'There is no {FILE_NAME}: the run has not ended, or it had no mmdrl.SummaryHook.')
    elif not any((part / SCALARS).is_file() for part in parts):
        notes.append('There is no log of the run, so it has no curves.')
    elif started and started[-1].name > max(part.name for part in parts) and (started[-1] / SCALARS).stat().st_size:
        notes.append(f'{started[-1].name} was logged after the run had ended. {FILE_NAME} knows nothing of it.')
    config = _read_config(folder, parts, results, notes)
    logger = ((config or {}).get('default_hooks') or {}).get('logger') or {}
    train, val, damaged = read_log(
        parts, _stage_names(config, results), metrics_by_epoch=bool(logger.get('log_metric_by_epoch', True))
    )
    name = folder.resolve().name
    return RunRecord(folder, name, results, config, train, val, _read_predictions(folder, notes), notes + damaged)


def _read_config(folder: Path, parts: list[Path], results: dict[str, Any], notes: list[str]) -> Config | None:
    """The config beside the checkpoints, or the one in the log of the last part; the first has its name."""
    beside = sorted(folder.glob('*.py'))
    named = [path for path in beside if path.stem == results.get('config')] or (beside if len(beside) == 1 else [])
    dumped = [part / SCALARS.parent / 'config.py' for part in reversed(parts)]
    path = next((path for path in [*named, *dumped] if path.is_file()), None)
    if path is None:
        notes.append('The config that the run should have dumped is not there.')
        return None
    try:
        return read_dumped(path)
    except ConfigError as error:
        notes.append(str(error))
        return None


def _stage_names(config: Config | None, results: dict[str, Any]) -> list[str]:
    """Those of the plan; without a config those that were validated."""
    hooks = [] if config is None else stage_hooks(config)
    plans = [hook.get('stages') for hook in hooks if isinstance(hook, dict)]
    stages = next((plan for plan in plans if isinstance(plan, list)), None)
    if stages is None:
        return [] if config is not None else list(results.get('stages') or ())
    return [str(stage.get('name')) for stage in stages]


def _read_predictions(folder: Path, notes: list[str]) -> dict[str, NDArray[Any]] | None:
    if not (folder / PREDICTIONS).is_file():
        return None
    try:
        return read_predictions(folder)
    except DataError as error:
        notes.append(str(error))
        return None
