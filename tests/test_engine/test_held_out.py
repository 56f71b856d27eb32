"""Two loaders show the same images if their data sets are the same, however the images look."""

from copy import deepcopy

import pytest
from command import ROOT
from mmengine.config import Config

from mmdrl.engine.held_out import shows_same_images

LIST = dict(type='CustomDataset', data_root='data', ann_file='val.txt', pipeline=[dict(type='PackInputs')])
LOADER = dict(batch_size=4, dataset=dict(type='RepeatDataset', times=1, dataset=LIST))


@pytest.mark.parametrize(
    ('changes', 'is_same'),
    [
        ({}, True),
        (dict(pipeline=[]), True),
        (dict(test_mode=True), True),
        (dict(ann_file='test.txt'), False),
        (dict(data_root='other'), False),
        (dict(indices=10), False),
    ],
)
def test_only_what_names_the_images_counts(changes, is_same):
    other = deepcopy(LOADER) | dict(batch_size=8, num_workers=2)
    other['dataset']['dataset'].update(changes)
    before = deepcopy(other)
    assert shows_same_images(LOADER, other) is is_same
    assert shows_same_images(other, LOADER) is is_same
    assert other == before


@pytest.mark.parametrize('missing', [None, {}])
def test_a_loader_that_is_not_there_shows_nothing(missing):
    assert not shows_same_images(LOADER, missing)
    assert not shows_same_images(missing, LOADER)


@pytest.mark.parametrize(
    ('name', 'is_same'), [('digits_lt_ir50', True), ('imagenet_lt', False), ('inaturalist2018', True)]
)
def test_data_sets_of_the_package(name, is_same):
    cfg = Config.fromfile(str(ROOT / f'configs/_base_/datasets/{name}.py'))
    assert shows_same_images(cfg.val_dataloader, cfg.test_dataloader) is is_same
