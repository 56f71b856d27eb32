"""A run that has ended, as its work folder tells it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.results import FILE_NAME, read_results
from mmdrl.errors import ConfigError, DataError


@dataclass(frozen=True)
class FinishedRun:
    """What is known of a run.

    Attributes:
        folder: Its work folder.
        config: Name of the config that it was trained by, without ``.py``.
        config_text: That config, whole.
        results: Content of ``results.json``.
        checkpoint: File of the checkpoint in question.
        content: What that holds.
        is_last: Whether it is the checkpoint whose validation ``results.json`` has.
        is_newest: Whether it is the last that the run has saved, be it before its end.
    """

    folder: Path
    config: str
    config_text: str
    results: dict[str, Any]
    checkpoint: Path
    content: dict[str, Any]
    is_last: bool
    is_newest: bool


def read_run(folder: Path, checkpoint: Path | None = None) -> FinishedRun:
    """Read a run.

    Args:
        folder: Its work folder, which may have been moved.
        checkpoint: One of its checkpoints; not given: the last.

    Raises:
        DataError: If the run has not ended, a file is missing or damaged, or the checkpoint is of another run.
        ConfigError: If the folder has no config, or several and ``results.json`` names none.
    """
    if not folder.is_dir():
        raise DataError(f'Expected the work folder of a run at {folder}, found none.')
    results = read_results(folder)
    last = _last_checkpoint(folder, results)
    if checkpoint is None:
        if last is None:
            raise DataError(
                f'{folder / "results.json"} names no checkpoint: the run has saved none. Name one with --checkpoint.'
            )
        checkpoint = last
    content = read_checkpoint(str(checkpoint))
    if content is None or not isinstance(content.get('state_dict'), dict):
        raise DataError(f'Expected a checkpoint of a run with state_dict and meta in {checkpoint}, got no such thing.')
    meta = content.get('meta') or {}
    _check_seed(meta, results, checkpoint, folder)
    is_newest = last is not None and last.is_file() and checkpoint.samefile(last)
    is_last = is_newest and meta.get('iter') in (None, results.get('iterations'))  # a run may end without saving
    file = _config(folder, results)
    # A test in the same folder leaves its own config there; that of the training is in the checkpoint.
    text = meta.get('cfg') or file.read_text()
    return FinishedRun(folder, file.stem, str(text), results, checkpoint, content, is_last, is_newest)


def _check_seed(meta: dict[str, Any], results: dict[str, Any], checkpoint: Path, folder: Path) -> None:
    """Resuming keeps the seed, so that another is that of another run."""
    saved, told = meta.get('seed'), results.get('seed')
    if saved is not None and told is not None and saved != told:
        raise DataError(
            f'{checkpoint} is of a run with seed {saved}, {folder / "results.json"} of one with seed {told}. Give the '
            'folder and a checkpoint of one run.'
        )


def _last_checkpoint(folder: Path, results: dict[str, Any]) -> Path | None:
    """The checkpoint of the results, where the folder is now."""
    named = results.get('checkpoint')
    if not named:
        return None
    last = folder / Path(named).name
    apart = Path(named)  # with out_dir of the CheckpointHook; a folder with results is that of another run
    if not last.exists() and apart.is_file() and not (apart.parent / FILE_NAME).exists():
        last = apart
    pointer = folder / 'last_checkpoint'
    newest = Path(pointer.read_text().strip()).name if pointer.is_file() else last.name
    if newest != last.name:
        raise DataError(
            f'{folder / "results.json"} is of {last.name}, but the last checkpoint there is {newest}: another run was '
            'begun in the folder and has not ended. Let it end, or train in a folder of its own.'
        )
    return last


def _config(folder: Path, results: dict[str, Any]) -> Path:
    name = results.get('config')
    found = [folder / f'{name}.py'] if name else sorted(folder.glob('*.py'))
    if len(found) != 1 or not found[0].is_file():
        listed = ', '.join(path.name for path in found if path.is_file()) or 'none'
        raise ConfigError(f'Expected the config that the run was trained by in {folder}, found {listed}.')
    return found[0]
