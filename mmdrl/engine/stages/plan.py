"""The stages of a run in order: which epoch belongs to which, and whether a resumed run has the same."""

from typing import Any

from mmdrl.errors import ConfigError, DataError

from .stage import Stage, parse_stage


class StagePlan:
    """The stages in order.

    Args:
        stages: One dict per stage with the keys of :class:`Stage`.

    Raises:
        ConfigError: If there is no stage, two have one name, a key is unknown or missing, or a value is out of range.
    """

    def __init__(self, stages: list[dict[str, Any]]):
        if not isinstance(stages, (list, tuple)):
            raise ConfigError(f'TwoStageHook: stages must be a list of dicts, got {stages!r}.')
        if not stages:
            raise ConfigError('TwoStageHook needs at least one stage, got none.')
        self.stages = [parse_stage(entry) for entry in stages]
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise ConfigError(f'Stages need names of their own, got {", ".join(map(repr, names))}.')
        for key in ('head', 'load_best'):
            if getattr(self.stages[0], key) is not None:
                raise ConfigError(
                    f'The first stage, {names[0]!r}, has no stage before it and takes no {key}. Use '
                    f'{"model.head" if key == "head" else "load_from"} of the config.'
                )

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

    def describe(self, index: int) -> str:
        """Number, name and epochs of a stage, in words."""
        first, last = self.begin(index) + 1, self.begin(index + 1)
        epochs = f'epochs {first} to {last}' if first < last else f'epoch {first}'
        return f'{index + 1} of {len(self)}, {self[index].name!r}, {epochs}'

    def sampler_at(self, index: int) -> dict[str, Any] | None:
        """Sampler of a stage; one that moves with the epochs moves with those of its stage, unless it says when."""
        sampler = self.stages[index].sampler
        kind = sampler and sampler.get('type')
        if sampler is None or getattr(kind, '__name__', str(kind)).rpartition('.')[2] != 'ProgressiveSampler':
            return sampler
        return dict(num_epochs=self.stages[index].epochs, begin=self.begin(index)) | sampler

    def schedule_at(self, index: int) -> Stage | None:
        """The stage whose optimiser and schedule run in a stage; ``None``: those of the config."""
        return next((stage for stage in reversed(self.stages[: index + 1]) if stage.has_own_schedule), None)

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
        """The settings of all stages: what a checkpoint keeps to tell whether a resumed plan is the same."""
        return [stage.settings() for stage in self.stages]

    def find_stage(self, saved: Any) -> int:
        """The stage in which a checkpoint was saved, from what it keeps of its plan.

        Names and lengths of all stages must be the same, and whatever else the stages up to that one had.

        Raises:
            ConfigError: If it was trained with other stages, or none.
            DataError: If it names a stage that is none.
        """
        entries = saved if isinstance(saved, dict) else {}
        plan, here = entries.get('plan'), self.outline()
        if not isinstance(plan, list) or list(map(_length, plan)) != list(map(_length, here)):
            raise ConfigError(
                f'The checkpoint was trained with {_lengths(plan)}, the config has {_lengths(here)}. Resume with the '
                'config it was trained with, or start anew with load_from.'
            )
        current = entries.get('current')
        if type(current) is not int or not 0 <= current < len(self):
            raise DataError(
                f'The checkpoint must name one of {len(self)} stages, counted from 0, got {current!r}. It is damaged: '
                'resume from another checkpoint.'
            )
        for old, new in zip(plan[: current + 1], here, strict=False):
            changed = sorted(key for key in set(old) | set(new) if old.get(key) != new.get(key))
            if changed:
                key = changed[0]
                raise ConfigError(
                    f'The checkpoint was trained with {key}={old.get(key)} in stage {new["name"]!r}, the config has '
                    f'{new.get(key)}. A stage that has begun must stay as it was: resume with the config it was '
                    'trained with, or start anew with load_from.'
                )
        return current


def _length(entry: Any) -> Any:
    return (entry.get('name'), entry.get('epochs')) if isinstance(entry, dict) else entry


def _lengths(plan: Any) -> str:
    if not isinstance(plan, list) or not plan or not all(isinstance(entry, dict) for entry in plan):
        return 'no stages'
    return 'stages ' + ', '.join(f'{entry.get("name")!r} ({entry.get("epochs")} epochs)' for entry in plan)
