"""The stages of a run as data: parsed and checked once, before training begins."""

from dataclasses import dataclass, field, fields
from typing import Any

from mmdrl.errors import ConfigError, DataError


@dataclass(frozen=True)
class Stage:
    """One stage of training; what is not given stays as the config has it.

    Attributes:
        name: Shown in the log and the progress bar.
        epochs: Length, at least 1.
        sampler: Config of the training sampler. A ``ProgressiveSampler`` takes ``begin`` and ``num_epochs`` from the
            stage if they are not given.
        loss_weights: Factor of each loss of the head, such as ``dict(loss_dr=0.)``; 1 if not given.
        freeze: Names of modules, ``*`` allowed, that neither learn nor update batch statistics.
        reset: Names of modules, ``*`` allowed, that are initialised anew when the stage begins.
        lr: Base learning rate. Giving it or ``param_scheduler`` starts a schedule and an optimiser state of
            the stage's own.
        param_scheduler: MMEngine schedules, counted from the stage's first epoch; none means a constant rate.
    """

    name: str
    epochs: int
    sampler: dict[str, Any] | None = None
    loss_weights: dict[str, float] = field(default_factory=dict)
    freeze: tuple[str, ...] = ()
    reset: tuple[str, ...] = ()
    lr: float | None = None
    param_scheduler: list[dict[str, Any]] | None = None

    @property
    def has_own_schedule(self) -> bool:
        """Whether rate, schedule and optimiser state start afresh with the stage."""
        return self.lr is not None or self.param_scheduler is not None


class StagePlan:
    """The stages in order.

    Args:
        stages: One dict per stage with the keys of :class:`Stage`.

    Raises:
        ConfigError: If there is no stage, a key is unknown or missing, or a length is not positive.
    """

    def __init__(self, stages: list[dict[str, Any]]):
        if not stages:
            raise ConfigError('TwoStageHook needs at least one stage, got none.')
        self.stages = [_parse(entry) for entry in stages]

    def __len__(self) -> int:
        return len(self.stages)

    def __getitem__(self, index: int) -> Stage:
        return self.stages[index]

    @property
    def max_epochs(self) -> int:
        """Epochs of all stages together."""
        return self.begin(len(self))

    def begin(self, index: int) -> int:
        """First epoch of a stage, counted from 0."""
        return sum(stage.epochs for stage in self.stages[:index])

    def index_at(self, epoch: int) -> int:
        """Stage to which an epoch (from 0) belongs; the last stage goes on beyond the plan."""
        return next((i for i in range(len(self)) if epoch < self.begin(i + 1)), len(self) - 1)

    def sampler_at(self, index: int) -> dict[str, Any] | None:
        """Sampler of a stage; one that moves with the epochs moves with those of its stage, unless it says when."""
        sampler = self.stages[index].sampler
        kind = sampler and sampler.get('type')
        if sampler is None or getattr(kind, '__name__', str(kind)).rpartition('.')[2] != 'ProgressiveSampler':
            return sampler
        return dict(num_epochs=self.stages[index].epochs, begin=self.begin(index)) | sampler

    def check_fits(self, max_epochs: int | None) -> None:
        """The stages must last exactly as long as the run.

        Args:
            max_epochs: Length of the run; ``None`` if it does not count epochs.

        Raises:
            ConfigError: If they do not.
        """
        if max_epochs is None:
            raise ConfigError(
                "TwoStageHook counts epochs and needs train_cfg=dict(type='mmdrl.ResumableEpochLoop', max_epochs=...)."
            )
        if self.max_epochs != max_epochs:
            lengths = ' + '.join(str(stage.epochs) for stage in self.stages)
            raise ConfigError(
                f'The stages last {lengths} = {self.max_epochs} epochs, but train_cfg.max_epochs is {max_epochs}. '
                'Make them equal.'
            )

    def outline(self) -> list[dict[str, Any]]:
        """Names and lengths: what a checkpoint keeps to tell whether a resumed plan is the same."""
        return [dict(name=stage.name, epochs=stage.epochs) for stage in self.stages]

    def find_stage(self, saved: Any) -> int:
        """The stage in which a checkpoint was saved, from what it keeps of its plan.

        Raises:
            ConfigError: If it was trained with other stages, or none.
            DataError: If it names a stage that is none.
        """
        entries = saved if isinstance(saved, dict) else {}
        if entries.get('plan') != self.outline():
            raise ConfigError(
                f'The checkpoint was trained with stages {entries.get("plan")}, the config has {self.outline()}. '
                'Resume with the config it was trained with, or start anew with load_from.'
            )
        current = entries.get('current')
        if type(current) is not int or not 0 <= current < len(self):
            raise DataError(
                f'The checkpoint must name one of {len(self)} stages, counted from 0, got {current!r}. It is damaged: '
                'resume from another checkpoint.'
            )
        return current


def _parse(entry: dict[str, Any]) -> Stage:
    known = [item.name for item in fields(Stage)]
    unknown = sorted(set(entry) - set(known))
    if unknown:
        raise ConfigError(f'A stage takes the keys {", ".join(known)}, got {", ".join(unknown)}.')
    missing = [key for key in ('name', 'epochs') if key not in entry]
    if missing:
        raise ConfigError(f'A stage needs {" and ".join(missing)}, got only {", ".join(entry) or "nothing"}.')
    if not (isinstance(entry['epochs'], int) and entry['epochs'] >= 1):
        raise ConfigError(f'Stage {entry["name"]!r}: epochs must be a whole number above 0, got {entry["epochs"]!r}.')
    patterns: dict[str, Any] = {key: _as_tuple(entry[key]) for key in ('freeze', 'reset') if key in entry}
    settings = {**entry, **patterns}
    return Stage(**settings)


def _as_tuple(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
