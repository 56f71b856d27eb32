"""What the metrics of this package share: groups of classes by training images, and one entry per sample.

A process keeps a few numbers per sample, never the scores of all classes; MMEngine brings them together in the order of
the data set and drops what only pads the last batch. Values are then computed on the main process.
"""

from math import isfinite
from typing import Any, Literal

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from numpy.typing import ArrayLike, NDArray

from mmdrl.errors import ConfigError
from mmdrl.stats import Edges, shot_groups

Rule = Literal['greater', 'less']


class GroupedMetric(BaseMetric):
    """A metric that knows the many-, medium- and few-shot classes.

    Args:
        many: Edge of the many-shot group, in training images. None: as :meth:`group_like` is told, else 100.
        few: Edge of the few-shot group, in training images. None: likewise, else 20.
        edges: Whether a class exactly on an edge is medium, see :func:`mmdrl.stats.shot_groups`. None: likewise, else
            ``'exclusive'``.
        class_counts: Training images per class, shape ``(K,)``. None: ``mmdrl.ClassCountsHook`` sets the
            attribute of this name from the train set or the checkpoint.
        prefix: Put before the names, ``'ncm'`` gives ``ncm/many``.
        collect_device: ``'cpu'`` or ``'gpu'``, of MMEngine's collection over processes.
        collect_dir: Folder shared by the processes for the collection on the CPU.

    Attributes:
        per_sample: After an evaluation, on the main process: arrays of shape ``(N,)`` by name, in the order of the data
            set; ``label`` and what the metric reads of a prediction.
        rules: By name of a value without prefix: whether ``'greater'`` or ``'less'`` is better.

    Raises:
        ConfigError: If an argument is out of range, or there are no class counts when they are needed.
    """

    default_prefix = ''  # None would make MMEngine warn about a prefix not set
    rules: dict[str, Rule] = {}

    def __init__(
        self,
        many: int | None = None,
        few: int | None = None,
        edges: Edges | None = None,
        class_counts: ArrayLike | None = None,
        prefix: str | None = None,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
    ):
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self._given: dict[str, Any] = dict(many=many, few=few, edges=edges)
        self.group_like({})
        self.class_counts = class_counts
        self.per_sample: dict[str, NDArray[Any]] | None = None

    def group_like(self, settings: dict[str, Any]) -> None:
        """Group the classes by these settings, where the metric was given none of its own.

        Args:
            settings: ``many``, ``few`` and ``edges``, or some of them.

        Raises:
            ConfigError: If they do not fit.
        """
        defaults = dict(many=100, few=20, edges='exclusive')
        given = {key: value for key, value in self._given.items() if value is not None}
        groups: dict[str, Any] = {**defaults, **settings, **given}
        if not all(isinstance(groups[key], (int, float)) and isfinite(groups[key]) for key in ('many', 'few')):
            raise ConfigError(
                f'{type(self).__name__}: many and few must be numbers of images, got many={groups["many"]!r} and '
                f'few={groups["few"]!r}.'
            )
        try:
            shot_groups([], **groups)
        except ValueError as error:
            raise ConfigError(f'{type(self).__name__} cannot group the classes. {error}') from error
        self.many, self.few, self.edges = groups['many'], groups['few'], groups['edges']

    @property
    def class_counts(self) -> NDArray[np.int64] | None:
        """Training images per class, shape ``(K,)``; takes a sequence, an array or a tensor."""
        return self._class_counts

    @class_counts.setter
    def class_counts(self, counts: ArrayLike | torch.Tensor | None) -> None:
        if counts is not None:
            try:
                counts = torch.as_tensor(counts).cpu().numpy()
            except (TypeError, ValueError) as error:
                raise ConfigError(f'class_counts must be integers of shape (K,), got {counts!r}.') from error
            if counts.ndim != 1 or counts.size == 0 or counts.dtype.kind not in 'iu' or counts.min() < 0:
                raise ConfigError(
                    'class_counts must be integers of shape (K,), none negative, '
                    f'got {counts.dtype} of shape {counts.shape}: {counts}.'
                )
        self._class_counts = counts

    def evaluate(self, size: int) -> dict[str, float]:
        """Metrics over the samples of all processes, without the ones that only pad the last batch."""
        # Here every process raises; in compute_metrics the main one alone would, and the others wait.
        self.known_class_counts()
        metrics: dict[str, float] = super().evaluate(size)
        return metrics

    def known_class_counts(self) -> NDArray[np.int64]:
        """The class counts, or an error that says where they should have come from."""
        if self.class_counts is None:
            raise ConfigError(
                f'{type(self).__name__} needs the training images per class to group the classes, but got none. Add '
                'mmdrl.ClassCountsHook to the hooks or give class_counts=[...].'
            )
        return self.class_counts

    def class_groups(self) -> dict[str, NDArray[np.bool_]]:
        """Masks of the three groups, each of shape ``(K,)``."""
        return shot_groups(self.known_class_counts(), self.many, self.few, self.edges)
