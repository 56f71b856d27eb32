"""What preparing a data set has come to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.preparation.files import RemoteFile

Fetch = Callable[[RemoteFile], Path]  # the path of the file in the folder, fetched unless it is there


@dataclass
class Prepared:
    """What is there, and what is not.

    Attributes:
        counts: Images per class, each of shape ``(K,)``, by split or version.
        class_names: K names, or None.
        notes: Sentences about what was found or made.
        problems: Sentences about what is missing or wrong, with the remedy.
    """

    counts: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    class_names: Sequence[str] | None = None
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
