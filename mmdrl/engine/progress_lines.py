"""What the terminal says of an epoch and of a validation: one line each."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from mmengine.runner import IterBasedTrainLoop, Runner

from mmdrl.engine.results import single_numbers
from mmdrl.visualization.bars import in_lines
from mmdrl.visualization.tables import COLUMNS, by_classifier

_ROOM = 60, 110  # letters of a line that has room for the loss behind its bar, and for the parts of the loss


def training_note(outputs: Mapping[str, Any], width: int = _ROOM[1]) -> str:
    """Losses of an iteration, as far as there is room for them; reading them waits for the device."""
    if width < _ROOM[0]:
        return ''
    shown = [name for name in outputs if 'loss' in name and (width >= _ROOM[1] or name == 'loss')]
    return '  '.join(_losses({name: float(outputs[name].detach()) for name in shown}))


def trains_by_epoch(runner: Runner) -> bool:
    """Whether there is an epoch to write a line of."""
    return not isinstance(runner._train_loop, IterBasedTrainLoop)


def epoch_line(runner: Runner, width: int | None = None) -> str:
    """Epoch, stage, learning rate, and the mean of each loss over the epoch that has just ended, time left.

    Args:
        runner: At the end of the epoch.
        width: Letters of a line; what does not fit goes below.
    """
    scalars = runner.message_hub.log_scalars
    parts = [epoch_of(runner, runner.epoch + 1)]
    parts += [str(runner.message_hub.runtime_info.get('stage', 'train'))]
    if 'train/lr' in scalars:
        parts.append(f'lr {scalars["train/lr"].current():.3g}')
    length = len(runner.train_dataloader)
    means = {key[6:]: values.mean(length) for key, values in scalars.items() if key.startswith('train/')}
    parts += _losses({name: value for name, value in means.items() if 'loss' in name})
    seconds = runner.message_hub.runtime_info.get('eta')
    if seconds is not None:  # of all epochs, by IterTimerHook
        parts.append(f'{timedelta(seconds=int(seconds))} left')
    return in_lines(parts, width)


def validation_line(runner: Runner, metrics: Mapping[str, Any], width: int | None = None) -> str:
    """The groups of every classifier; of a validation without groups all its numbers.

    Args:
        runner: At the end of the validation.
        metrics: Its measures.
        width: Letters of a line; what does not fit goes below.
    """
    numbers = single_numbers(metrics)
    rows = by_classifier(numbers)
    if not rows:
        shown = [f'{name} {value:.4g}' for name, value in numbers.items() if name not in ('time', 'data_time')]
    else:
        shown = []
        for classifier, row in rows.items():
            values = ' '.join(f'{group} {row[group]:.1f}' for group in COLUMNS if group in row)
            shown.append(values if classifier == 'linear' else f'{classifier}: {values}')
    return in_lines([f'{_position(runner)}  validation'.strip(), *shown], width)


def epoch_of(runner: Runner, epoch: int) -> str:
    """The number of an epoch and how many there are, as wide in every line."""
    return f'epoch {epoch:>{len(str(runner.max_epochs))}}/{runner.max_epochs}'


def _position(runner: Runner) -> str:
    if not hasattr(runner._train_loop, 'dataloader'):  # a validation alone
        return ''
    if isinstance(runner.train_loop, IterBasedTrainLoop):
        return f'iteration {runner.iter}/{runner.max_iters}'
    return epoch_of(runner, runner.epoch)


def _losses(values: Mapping[str, float]) -> list[str]:
    """Each with its name; a sum of one is that one."""
    is_one = len(values) == 2 and len(set(values.values())) == 1 and 'loss' in values
    return [f'{name} {value:.3f}' for name, value in values.items() if not is_one or name == 'loss']
