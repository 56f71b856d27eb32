"""What several seeds say together: mean and spread of each, and the paired difference of two on the same seeds."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

MIN_PAIRS = 3  # two differences are alike by chance often enough
ROUNDING = 1e-5  # percentage points: less is the rounding of means of equal numbers


class Spread(NamedTuple):
    """Values of one measure over seeds.

    Attributes:
        mean: Their mean.
        std: Their standard deviation, that of a sample (n - 1); ``None`` for a single one.
        n: How many there are.
    """

    mean: float
    std: float | None
    n: int


class Difference(NamedTuple):
    """Mean of the differences on the seeds that both have.

    Attributes:
        mean: In the unit of the measure.
        error: Its standard error, standard deviation of the differences by the root of their number; ``None`` for one.
        seeds: Those in common whose values are known, rising.
    """

    mean: float
    error: float | None
    seeds: tuple[int, ...]

    @property
    def n(self) -> int:
        """How many seeds."""
        return len(self.seeds)

    @property
    def is_noise(self) -> bool | None:
        """Whether it lies below two standard errors; ``None`` if it does not, but there are too few pairs to say so."""
        if self.error is not None and abs(self.mean) < max(2 * self.error, ROUNDING):
            return True
        return None if self.n < MIN_PAIRS or self.error is None else False


def spread(values: Sequence[float | None]) -> Spread | None:
    """Mean and spread of those values that there are; ``None`` if there is none."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return None
    return Spread(statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else None, len(known))


def paired_difference(values: Mapping[int, float | None], others: Mapping[int, float | None]) -> Difference | None:
    """How much higher ``values`` are than ``others`` on the same seeds; ``None`` if they have no seed in common.

    Args:
        values: By seed.
        others: By seed.
    """
    differences = {
        seed: one - other
        for seed in sorted(values.keys() & others.keys())
        if (one := values[seed]) is not None and (other := others[seed]) is not None and math.isfinite(one - other)
    }
    found = spread(list(differences.values()))
    if found is None:
        return None
    return Difference(found.mean, None if found.std is None else found.std / math.sqrt(found.n), tuple(differences))
