"""Mean and spread over seeds, and differences of two methods paired by seed."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

# As in the report of runs, mmdrl.engine.report.spread, which this cannot import: torch would come with it.
CHANCE = 2.0  # standard errors; a smaller difference cannot be told from chance
MIN_SEEDS = 3  # two differences are alike by chance often enough
ROUNDING = 1e-5  # less is the rounding of means of equal numbers


class Spread(NamedTuple):
    """Values of several seeds.

    Attributes:
        mean: Of the values.
        deviation: Standard deviation, divided by ``size - 1``; ``None`` of a single value, which has no spread.
        size: How many values.
    """

    mean: float
    deviation: float | None
    size: int


class Difference(NamedTuple):
    """One method minus another, over the seeds that both have.

    Attributes:
        mean: Of the differences.
        error: Standard error of that mean; ``None`` with a single seed.
        seeds: Those of both, rising.
    """

    mean: float
    error: float | None
    seeds: tuple[int, ...]

    @property
    def is_beyond_chance(self) -> bool:
        """Whether it is two standard errors or more, over three seeds or more."""
        return (
            self.error is not None
            and len(self.seeds) >= MIN_SEEDS
            and abs(self.mean) >= max(CHANCE * self.error, ROUNDING)
        )


def spread(values: Sequence[float]) -> Spread | None:
    """Mean and standard deviation; ``None`` if there is no value."""
    if not values:
        return None
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(float(np.mean(values)), deviation, len(values))


def paired_difference(values: Mapping[int, float], control: Mapping[int, float]) -> Difference | None:
    """Mean difference of two methods by seed, with its standard error; ``None`` if they have no seed in common.

    Args:
        values: Of the method, by seed.
        control: Of what it is compared with, likewise.
    """
    seeds = tuple(sorted(values.keys() & control.keys()))
    found = spread([values[seed] - control[seed] for seed in seeds])
    if found is None:
        return None
    error = None if found.deviation is None else found.deviation / len(seeds) ** 0.5
    return Difference(found.mean, error, seeds)
