"""Photographs of single digits, listed with their labels in a CSV file."""

import csv
from pathlib import Path
from typing import Any

from mmpretrain.datasets import BaseDataset

from meters.registry import DATASETS


@DATASETS.register_module()
class MeterDigits(BaseDataset):
    """Images and labels that ``<data_root>/<split>.csv`` lists, in columns ``image`` and ``digit``."""

    METAINFO = {'classes': tuple('0123456789')}

    def __init__(self, split: str, data_root: str = 'data/meters', **kwargs: Any):
        super().__init__(ann_file=f'{split}.csv', data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Path and label of every image."""
        with open(self.ann_file, newline='') as file:
            rows = list(csv.DictReader(file))
        return [dict(img_path=str(Path(self.data_root, row['image'])), gt_label=int(row['digit'])) for row in rows]
