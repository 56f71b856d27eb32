"""Names out of files lead nowhere but below the folder that they belong to."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from mmdrl.datasets import ImageListDataset, ImageNetLT, INaturalist2018, PlacesLT
from mmdrl.datasets.label_files import read_labels
from mmdrl.engine.preflight import check_data_paths
from mmdrl.engine.publish import publish
from mmdrl.engine.run_record import read_run
from mmdrl.errors import DataError, MMDRLError

pytestmark = pytest.mark.faults

LEADING_OUT = [
    *('../b.jpg', 'a/../../b.jpg', 'a/..', '..', '/etc/passwd', '//etc/passwd', './../b.jpg', 'a//../..//b.jpg'),
    *('C:\\b.jpg', 'C:b.jpg', 'c:/b.jpg', '\\\\server\\share\\b.jpg', '..\\b.jpg', 'a\\..\\..\\b.jpg', 'a/..\\b.jpg'),
    *('~/b.jpg', '~root/b.jpg', 'file:///etc/passwd', 'http://host/b.jpg', 's3://bucket/b.jpg', 'a\0/../b.jpg'),
]
# Names like any other for the system, which decodes nothing: they stay below the folder.
HARMLESS = ['%2e%2e/b.jpg', '..%2fb.jpg', '．．/b.jpg', '․․/b.jpg', '.../b.jpg', 'a../b.jpg', '..a/b.jpg', './b.jpg']  # noqa: RUF001


def datasets(folder: Path, path: str) -> dict[str, Any]:
    """What reads a list with a path, each of them."""
    (folder / 'list.txt').write_text(f'a.jpg 0\n{path} 1\n')
    images = [dict(id=0, file_name='a.jpg'), dict(id=1, file_name=path)]
    annotations = [dict(image_id=0, category_id=0), dict(image_id=1, category_id=1)]
    (folder / 'list.json').write_text(json.dumps(dict(images=images, annotations=annotations)))
    named = dict(data_root=str(folder), ann_file='list.txt')
    custom = dict(type='CustomDataset', data_root=str(folder), ann_file='list.txt', data_prefix='')
    found = {
        kind.__name__: lambda kind=kind: kind(**named)
        for kind in (ImageListDataset, ImageNetLT, PlacesLT, INaturalist2018)
    }
    found['JSON'] = lambda: INaturalist2018(data_root=str(folder), ann_file='list.json')
    found['labels'] = lambda: read_labels(folder / 'list.txt')
    found['CustomDataset'] = lambda: check_data_paths(
        Config(dict(train_dataloader=dict(dataset=custom))), ('train_dataloader',)
    )
    return found


@pytest.mark.parametrize('path', LEADING_OUT)
def test_no_reader_of_lists_takes_a_path_that_leads_out(tmp_path: Path, path: str) -> None:
    (tmp_path / 'a.jpg').touch()
    for name, read in datasets(tmp_path, path).items():
        with pytest.raises(DataError, match=r'(line|image) 2') as raised:
            read()
        assert '\0' not in str(raised.value), name


@pytest.mark.parametrize('path', HARMLESS)
def test_names_that_look_like_it_stay_below_the_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / 'a.jpg').touch()
    (tmp_path / 'list.txt').write_text(f'a.jpg 0\n{path} 1\n')
    found = ImageListDataset(data_root=str(tmp_path), ann_file='list.txt').get_data_info(1)['img_path']
    assert Path(os.path.normpath(found)).is_relative_to(tmp_path)


def test_links_in_the_folder_are_the_owners_choice(tmp_path: Path) -> None:
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'elsewhere/a.jpg').touch()
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/images').symlink_to(tmp_path / 'elsewhere')
    (tmp_path / 'data/list.txt').write_text('images/a.jpg 0\n')
    dataset = ImageListDataset(data_root=str(tmp_path / 'data'), ann_file='list.txt')
    assert Path(dataset.get_data_info(0)['img_path']).is_file()


def finished(folder: Path, **results: Any) -> Path:
    folder.mkdir(parents=True)
    torch.save(dict(meta=dict(epoch=1, iter=4), state_dict={}), folder / 'epoch_1.pth')
    (folder / 'x.py').write_text('model = dict()\n')
    content = dict(config='x', checkpoint='epoch_1.pth', iterations=4, metrics={}) | results
    (folder / 'results.json').write_text(json.dumps(content))
    return folder


def test_results_name_no_log_outside_the_run(tmp_path: Path) -> None:
    secret = tmp_path / 'secret/vis_data/scalars.json'
    secret.parent.mkdir(parents=True)
    secret.write_text('{"loss": 1.0, "iter": 1, "step": 1}\n')
    for number, name in enumerate(('../secret', str(tmp_path / 'secret'))):
        record = read_run(finished(tmp_path / f'run{number}', log_folders=[name]))
        assert record.train == []


@pytest.mark.parametrize('name', ['../x', '/x', 'a/b', '..', '-x', 'a\0b', 'a b', ''])
def test_published_files_have_plain_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(MMDRLError, match='--name of letters'):
        publish(finished(tmp_path / 'run'), tmp_path / 'out', name=name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['run']


def test_published_files_take_no_name_from_results(tmp_path: Path) -> None:
    (tmp_path / 'evil x.py').write_text('model = dict()\n')
    with pytest.raises(MMDRLError):
        publish(finished(tmp_path / 'run', config='../evil x'), tmp_path / 'out')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['evil x.py', 'run']
