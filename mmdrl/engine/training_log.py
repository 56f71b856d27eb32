"""What a run has logged, in order, from the parts it was trained in.

MMEngine writes one JSON object per line into ``TIMESTAMP/vis_data/scalars.json``, a folder for each start of the run. A
run that was killed and resumed repeats what it had not saved: there the later part holds. A line that the kill has cut
off is skipped and told.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SCALARS = Path('vis_data/scalars.json')
TIMES = ('time', 'data_time')
OF_TRAINING = ('radius/', 'spread/')  # what mmdrl.RadiusHook logs on its own, by iterations


def read_log(
    parts: Sequence[Path], stage_names: Sequence[str] = (), *, metrics_by_epoch: bool = True
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Entries of training and of validations, and what was wrong with the files.

    Args:
        parts: Folders of the parts, in the order of their start; one without scalars counts for nothing.
        stage_names: Names of the stages, of which the log has the numbers from 1.
        metrics_by_epoch: Whether the step of a validation is an epoch (MMEngine's default) or an iteration.

    Returns:
        Training entries by ``iter``, validations, each with ``iter`` (of the last training entry before it, if the log
        tells no better) and ``epoch`` (unless the run counts none), and sentences.
    """
    train: list[dict[str, Any]] = []
    val: list[dict[str, Any]] = []
    notes: list[str] = []
    for part in parts:
        lines, damaged = _read_lines(part / SCALARS)
        if damaged:
            notes.append(
                f'{damaged} damaged line{"s" * (damaged > 1)} of {part.name}/{SCALARS} skipped, as a run leaves '
                'that is killed while it writes.'
            )
        begin = next((line['iter'] for line in lines if 'iter' in line), None)
        if begin is not None:
            train = [entry for entry in train if entry['iter'] < begin]
            val = [entry for entry in val if entry['iter'] < begin]
        for line in lines:
            _take(_named(line, stage_names), train, val, metrics_by_epoch)
    return train, val, notes


def _read_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The objects of a file, without the prefixes of a hierarchical log, and how many lines are none."""
    found: list[dict[str, Any]] = []
    damaged = 0
    for text in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):  # ValueError: also what is no UTF-8
            line = None
        if isinstance(line, dict) and _is_number(line.get('step')) and _is_number(line.get('iter', 0)):
            line = {key.removeprefix('train/').removeprefix('val/'): value for key, value in line.items()}
            if all(key.startswith(OF_TRAINING) or key == 'step' for key in line):
                line['iter'] = line['step']
            found.append(line)
        else:
            damaged += bool(text.strip())
    return found, damaged


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _named(line: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The line with the name of its stage in place of the number."""
    number = line.get('stage')
    if number is None:
        return line
    is_known = isinstance(number, int) and 1 <= number <= len(names)
    return line | dict(stage=names[number - 1] if is_known else f'stage {number}')


def _take(line: dict[str, Any], train: list[dict[str, Any]], val: list[dict[str, Any]], by_epoch: bool) -> None:
    """Sort a line in: those of training count iterations, the others have been measured after the last of them."""
    step = line.pop('step')
    last = train[-1] if train else dict(iter=0)
    if 'iter' in line and line['iter'] == last['iter']:
        last.update(line)
        return
    if 'iter' in line:
        here = {key: last[key] for key in ('epoch', 'stage') if key in last}  # of which RadiusHook's lines know nothing
        train.append(here | line)
        return
    if by_epoch:
        place = dict(iter=last['iter'], **(dict(epoch=step) if 'epoch' in last or not train else {}))
    else:
        place = dict(iter=step, **(dict(epoch=last['epoch']) if 'epoch' in last else {}))
    if 'epoch' in place:
        val[:] = [entry for entry in val if entry.get('epoch', 0) < place['epoch']]  # resumed right before a validation
    val.append({key: value for key, value in line.items() if key not in TIMES} | place)
