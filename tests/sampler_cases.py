"""One of every sampler, over a data set small enough to count by hand."""

from typing import Any

import numpy as np

COUNTS = [40, 12, 5, 1]
LONG_TAIL = np.repeat([0, 1, 2, 3], COUNTS)[np.random.default_rng(0).permutation(58)]
SAMPLERS: dict[str, dict[str, Any]] = {
    'ClassAwareSampler': dict(samples_per_class=2),
    'PowerSampler': dict(power=0.5),
    'ProgressiveSampler': dict(num_epochs=6),
    'EffectiveNumberSampler': dict(beta=0.9),
    'BatchBalancedSampler': dict(classes_per_batch=3, samples_per_class=2),
}


class Rows:
    """A data set that knows its labels; a sample is its position."""

    def __init__(self, labels=LONG_TAIL):
        self.labels = np.asarray(labels)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return int(index)

    def get_gt_labels(self):
        return self.labels
