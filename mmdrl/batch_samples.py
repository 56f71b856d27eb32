"""Labels of a whole batch as tensors, which look like MMPretrain's data samples to who wants those.

An object per image costs more than loading, augmenting and normalising a small image does. So a batch crosses
processes, and goes to the device, as a few tensors; the samples are made when the first of them is asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from mmpretrain.structures import DataSample
from torch import Tensor

_TENSORS = ('labels', 'sample_idx', 'seeds', 'scores')


class BatchSamples:
    """Data samples of a batch of B images: ``len``, ``[i]`` and iteration give them, tensors hold them.

    No list and no ``Sequence``, so that pinning of memory and MMEngine's ``cast_data`` leave it whole. The samples are
    made once, and who is given them may change them: from then on ``labels`` and ``scores`` are what the samples hold.

    Args:
        labels: Shape ``(B,)``, int64; None if there are none.
        sample_idx: Position of each image in its data set, ``(B,)``, int64, on the CPU.
        seeds: Seed of each image's random numbers, ``(B,)``, int64, on the CPU.
        scores: Soft labels, ``(B, K)``.
        metainfo: Further meta information that all images share.
        samples: Ordinary samples, for what else they say of their images; their labels and scores do not count.
    """

    def __init__(
        self,
        labels: Tensor | None,
        sample_idx: Tensor | None = None,
        seeds: Tensor | None = None,
        scores: Tensor | None = None,
        metainfo: Mapping[str, Any] | None = None,
        samples: Sequence[DataSample] | None = None,
    ):
        self._labels, self._scores = labels, scores
        self.sample_idx, self.seeds = sample_idx, seeds
        self.metainfo = dict(metainfo or {})
        self._like = None if samples is None else list(samples)
        self._made: list[DataSample] | None = None

    @property
    def labels(self) -> Tensor | None:
        """Shape ``(B,)``, or None if there are none."""
        if self._made and 'gt_label' in self._made[0]:
            return torch.cat([sample.gt_label for sample in self._made])
        return self._labels

    @property
    def scores(self) -> Tensor | None:
        """Soft labels, shape ``(B, K)``, or None if there are none."""
        if self._made and 'gt_score' in self._made[0]:
            return torch.stack([sample.gt_score for sample in self._made])
        return self._scores

    def __len__(self) -> int:
        known = (self._labels, self._scores, self.sample_idx, self.seeds, self._like)
        return next((len(field) for field in known if field is not None), 0)

    def __getitem__(self, index: Any) -> Any:
        """One sample, or a list of them for a slice."""
        return self._samples()[index]

    def __iter__(self) -> Iterator[DataSample]:
        return iter(self._samples())

    def __repr__(self) -> str:
        held = [f'{name}={tuple(value.shape)}' for name in _TENSORS if (value := getattr(self, name)) is not None]
        return f'{type(self).__name__}({", ".join(held)})'

    def __getstate__(self) -> dict[str, Any]:
        """Arrays in place of tensors on the CPU: between processes a tensor costs a file of shared memory each."""
        state = dict(vars(self), _labels=self.labels, _scores=self.scores, _like=self._made or self._like, _made=None)
        is_on_cpu = {name for name, value in state.items() if isinstance(value, Tensor) and value.device.type == 'cpu'}
        return {name: value.detach().numpy() if name in is_on_cpu else value for name, value in state.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        arrays = ('_labels', '_scores', 'sample_idx', 'seeds')
        vars(self).update(state)
        vars(self).update({name: torch.as_tensor(state[name]) for name in arrays if state[name] is not None})

    def replaced(self, labels: Tensor | None = None, scores: Tensor | None = None) -> 'BatchSamples':
        """The same images with these labels or scores in place of their own; what is not given stays."""
        return BatchSamples(
            self.labels if labels is None else labels,
            self.sample_idx,
            self.seeds,
            self.scores if scores is None else scores,
            self.metainfo,
            self._made or self._like,
        )

    def without_scores(self) -> 'BatchSamples':
        """The same images with at most one label each, for who keeps them for long: scores are K numbers an image."""
        return BatchSamples(self.labels, self.sample_idx, self.seeds, None, self.metainfo, self._like)

    def to(self, device: Any, non_blocking: bool = False) -> 'BatchSamples':
        """The same with labels and scores on a device; seeds and positions stay on the CPU, where they are read."""
        moved = [None if each is None else each.to(device, non_blocking=non_blocking) for each in self._truths()]
        return self.replaced(*moved)

    def pin_memory(self) -> 'BatchSamples':
        """The same with labels, scores and seeds in pinned memory, from which a device copies while others go on."""
        pinned = self.replaced(*(None if each is None else each.pin_memory() for each in self._truths()))
        pinned.seeds = None if self.seeds is None else self.seeds.pin_memory()
        return pinned

    def _truths(self) -> tuple[Tensor | None, Tensor | None]:
        return self.labels, self.scores

    def _samples(self) -> list[DataSample]:
        if self._made is None:
            self._made = self._fresh()
        return self._made

    def _fresh(self) -> list[DataSample]:
        made = [DataSample() for _ in range(len(self))] if self._like is None else [each.new() for each in self._like]
        positions = None if self.sample_idx is None else self.sample_idx.tolist()
        for name, value in self.metainfo.items():
            for sample in made:
                sample.set_field(value, name, field_type='metainfo')
        if positions is not None:
            for sample, position in zip(made, positions, strict=True):
                sample.set_field(position, 'sample_idx', field_type='metainfo')
        if self._labels is not None:
            for sample, label in zip(made, self._labels.split(1), strict=True):
                sample.set_field(label, 'gt_label')
        if self._scores is not None:
            for sample, score in zip(made, self._scores.unbind(), strict=True):
                sample.set_gt_score(score)
        return made
