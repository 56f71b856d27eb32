"""A process of its own that reads damaged images: says how many it read, how many were replaced, and the most memory
that one process had, in MB.

Arguments: the folder with ``list.txt``, and the loader workers. A decoder that crashes takes this process with it, and
not the tests.
"""

import resource
import sys
from typing import Any

from torch.utils.data import DataLoader

from mmdrl.datasets import ImageListDataset

SIZE = (3, 24, 24)


def dataset(folder: str, **settings: Any) -> ImageListDataset:
    """The images as a run would read them."""
    pipeline = [dict(type='LoadImageFromFile'), dict(type='Resize', scale=SIZE[1:]), dict(type='PackInputs')]
    return ImageListDataset('list.txt', folder, pipeline=pipeline, **settings)


if __name__ == '__main__':
    data = dataset(sys.argv[1], max_broken=10**6)
    labels = data.get_gt_labels()
    decisions = []
    for _ in range(2):
        count = 0
        loader = DataLoader(
            data, batch_size=8, num_workers=int(sys.argv[2]), collate_fn=list, timeout=60 * (int(sys.argv[2]) > 0)
        )
        for sample in (sample for batch in loader for sample in batch):
            assert tuple(sample['inputs'].shape) == SIZE, sample['inputs'].shape
            assert int(sample['data_samples'].gt_label) == labels[count], count
            count += 1
        decisions.append(data.broken_paths())
    assert decisions[0] == decisions[1]
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(count, len(decisions[0]), peak // 1024)  # MB
