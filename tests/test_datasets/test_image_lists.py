"""Any list as a data set: samples, settings, and memory that workers share."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from list_reader import read_all
from mmengine.dataset import ConcatDataset, RepeatDataset

from mmdrl.datasets import ImageListDataset, LongTailDataset, dataset_labels, image_ids
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import DATASETS


def write_list(folder: Path, rows: int = 6, classes: int = 3) -> Path:
    path = folder / 'list.txt'
    path.write_text(''.join(f'a/{row:032x}.jpg {row % classes}\n' for row in range(rows)))
    return path


def test_sample_has_full_path_label_and_position(tmp_path: Path) -> None:
    write_list(tmp_path)
    data = DATASETS.build(
        dict(type='mmdrl.ImageListDataset', ann_file='list.txt', data_root=str(tmp_path), data_prefix='images')
    )
    assert data.get_data_info(4) == dict(img_path=f'{tmp_path}/images/a/{4:032x}.jpg', gt_label=1, sample_idx=4)
    assert data.get_data_info(-1)['sample_idx'] == 5
    assert dataset_labels(data).tolist() == [0, 1, 2, 0, 1, 2]


def test_subset_has_its_own_images_only(tmp_path: Path) -> None:
    data = ImageListDataset(str(write_list(tmp_path)), indices=[5, 1])
    assert [data.get_data_info(row)['img_path'][-7:] for row in range(2)] == ['005.jpg', '001.jpg']
    assert data.get_subset([1]).get_data_info(0)['gt_label'] == 1


def test_address_is_joined_by_a_slash_and_not_looked_for(tmp_path: Path) -> None:
    data = ImageListDataset(str(write_list(tmp_path)), data_prefix='s3://bucket/images')
    assert data.get_data_info(0)['img_path'] == f's3://bucket/images/a/{0:032x}.jpg'
    data.check_folder()


def test_classes_bound_the_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='line 3: there are 2 classes'):
        ImageListDataset(str(write_list(tmp_path)), classes=['cat', 'dog'])


def test_gap_in_the_classes_is_refused_unless_allowed(tmp_path: Path) -> None:
    (tmp_path / 'list.txt').write_text('a.jpg 2\n')
    with pytest.raises(DataError, match='no image of class 0'):
        ImageListDataset(str(tmp_path / 'list.txt'))
    assert len(ImageListDataset(str(tmp_path / 'list.txt'), allow_empty_classes=True)) == 1


def test_limit_below_zero_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'max_broken.*-1'):
        ImageListDataset(str(write_list(tmp_path)), max_broken=-1)


def test_wrappers_see_labels_and_images(tmp_path: Path) -> None:
    path = str(write_list(tmp_path, rows=60))
    tail = LongTailDataset(ImageListDataset(path), imbalance_ratio=10)
    assert tail.class_counts.tolist() == [20, 6, 2]
    assert len(dataset_labels(RepeatDataset(ImageListDataset(path), 2))) == 120
    both = ConcatDataset([ImageListDataset(path), ImageListDataset(path)])
    ids = image_ids(both)
    assert np.array_equal(ids[:60], ids[60:])  # the same rows of the same list


def test_a_few_missing_images_are_told_before_training_and_refused_before_a_test(tmp_path: Path) -> None:
    path = write_list(tmp_path)
    (tmp_path / 'a').mkdir()
    for row in range(1, 6):
        (tmp_path / f'a/{row:032x}.jpg').touch()
    ImageListDataset(str(path), data_prefix=str(tmp_path)).check_folder()
    with pytest.raises(DataError, match=r'1 of 6 images of .*list\.txt do not exist, such as .*000\.jpg'):
        ImageListDataset(str(path), data_prefix=str(tmp_path), test_mode=True).check_folder()


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
@pytest.mark.parametrize('start', ['fork', pytest.param('spawn', marks=pytest.mark.slow)])
def test_worker_that_reads_everything_shares_the_memory_of_the_list(tmp_path: Path, start: Any) -> None:
    data = ImageListDataset(str(write_list(tmp_path, rows=200_000)))
    held = sum(column.nbytes for column in (data._paths.paths, data._columns['gt_label']))
    assert held > 10 * 2**20
    context = torch.multiprocessing.get_context(start)
    answers = context.SimpleQueue()
    worker = context.Process(target=read_all, args=(data, answers))
    worker.start()
    growth, total = answers.get()
    worker.join()
    assert total == 200_000 * (2 + 32 + 4) + dataset_labels(data).sum()
    assert growth < 0.1 * held, f'{growth / held:.2f} of the list is private'
