"""ImageNet-LT, Places-LT and iNaturalist 2018: numbers, splits, and any list with any folder layout."""

import itertools
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from miniature import (
    CLASSES,
    LAYOUTS,
    PARTS,
    counts_of,
    list_to_json,
    listed_path,
    make_miniature,
    write_json_in_place_of_list,
)
from mmengine.logging import MMLogger

from mmdrl.datasets import ImageNetLT, INaturalist2018, PlacesLT
from mmdrl.datasets.lists.published import PUBLISHED, blob_hash
from mmdrl.errors import ConfigError, DataError

KINDS: dict[str, Any] = {'imagenet': ImageNetLT, 'places': PlacesLT, 'inaturalist': INaturalist2018}
PAIRS = [
    (name, folders, lists)
    for name, layouts in LAYOUTS.items()
    for folders, lists in itertools.product(layouts, layouts)
]


def miniature(name: str, root: Path, **settings: Any) -> Any:
    return KINDS[name](data_root=str(root), check_numbers=False, **settings)


@pytest.mark.parametrize(('name', 'folders', 'lists'), PAIRS)
def test_list_of_either_layout_finds_the_images_of_either_layout(
    tmp_path: Path, name: str, folders: str, lists: str
) -> None:
    root = make_miniature(tmp_path, name, folders, lists)
    for part in PARTS[name]:
        data = miniature(name, root, split=part)
        expected = [
            (str(root / listed_path(name, folders, part, label, number)), label)
            for label, count in enumerate(counts_of(name, part))
            for number in range(count)
        ]
        found = [data.get_data_info(row) for row in range(len(data))]
        assert [(info['img_path'], info['gt_label']) for info in found] == expected
        assert data.get_gt_labels().tolist() == [label for _, label in expected]


@pytest.mark.parametrize(('name', 'folders', 'lists'), PAIRS)
def test_layout_can_be_forced_by_name(tmp_path: Path, name: str, folders: str, lists: str) -> None:
    root = make_miniature(tmp_path, name, folders, lists)
    other = next(layout for layout in LAYOUTS[name] if layout != folders)
    row = (*PARTS[name][-1:], 0, 0)
    data = miniature(name, root, split=row[0], layout=folders)
    assert data.get_data_info(0)['img_path'] == str(root / listed_path(name, folders, *row))
    data = miniature(name, root, split=row[0], layout='listed')
    assert data.get_data_info(0)['img_path'] == str(root / listed_path(name, lists, *row))
    data = miniature(name, root, split=row[0], layout=other)
    with pytest.raises(DataError, match=r'None of the images|class folders in'):
        data.check_folder()


def test_folder_that_has_no_images_is_told_with_the_paths_looked_for(tmp_path: Path) -> None:
    root = make_miniature(tmp_path / 'full', 'places', 'places365', 'by_class')
    (tmp_path / 'empty').mkdir()
    data = PlacesLT(
        'test', str(tmp_path / 'empty'), ann_file=str(root / 'Places_LT_test.txt'), check_numbers=False, layout='auto'
    )
    message = r'empty/val/airfield/Places365_val_00000070\.jpg, or .*empty/val_256/Places365_val_00000070\.jpg'
    with pytest.raises(DataError, match=message):
        data.get_data_info(0)
    with pytest.raises(DataError, match=message):
        data.check_folder()


def test_flat_list_needs_a_folder_of_every_class(tmp_path: Path) -> None:
    root = make_miniature(tmp_path, 'imagenet', 'nested', 'flat')
    (root / 'val/extra').mkdir()
    with pytest.raises(DataError, match=r'Expected 1000 class folders in .*val, found 5\.'):
        miniature('imagenet', root, split='test').get_data_info(0)


def test_nothing_is_looked_for_at_loading(tmp_path: Path) -> None:
    (tmp_path / 'Places_LT_val.txt').write_text('train/airfield/a.jpg 0\n')
    assert len(miniature('places', tmp_path, split='val')) == 1


def test_classes_of_places_are_named_after_their_folders(tmp_path: Path) -> None:
    for folders in LAYOUTS['places']:
        data = miniature('places', make_miniature(tmp_path / folders, 'places', folders), split='train')
        assert tuple(CLASSES['places']) == data.CLASSES


@pytest.mark.parametrize('layout', LAYOUTS['inaturalist'])
def test_json_holds_what_the_list_holds(tmp_path: Path, layout: str) -> None:
    root = make_miniature(tmp_path, 'inaturalist', layout)
    data = miniature('inaturalist', root)
    listed = [data.get_data_info(row) for row in range(len(data))]
    write_json_in_place_of_list(root, 'train')
    data = miniature('inaturalist', root)
    assert [data.get_data_info(row) for row in range(len(data))] == listed
    assert data.CLASSES == ('species 0', 'species 1', 'species 2')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda content: content.pop('images'), r"'images'.*KeyError"),
        (lambda content: content['annotations'].pop(), r'9 images and 8 annotations; image id 1008'),
        (lambda content: content['annotations'].append(content['annotations'][0]), r'one annotation per image'),
        (lambda content: content['annotations'][1].update(image_id=7), r'image id (7|1001) does not match'),
        (lambda content: content['annotations'][1].update(category_id=-3), r'image 2: a label must be at least 0'),
        (lambda content: content['annotations'][1].update(category_id=None), r'image 2: expected "path label"'),
        (lambda content: content['images'][1].update(file_name='../x.jpg'), r'image 2: paths must be relative'),
        (lambda content: content['images'][1].update(file_name='a\nb.jpg'), r'line end'),
        (lambda content: content['images'][1].update(file_name='\ud800.jpg'), r'half a character'),
        (
            lambda content: content['images'][1].update(file_name=content['images'][0]['file_name']),
            r'image 2: every image must occur once.*image 1 has',
        ),
    ],
)
def test_bad_json_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    root = make_miniature(tmp_path, 'inaturalist', 'inside')
    content = list_to_json(root / 'iNaturalist18_train.txt')
    change(content)
    (root / 'train2018.json').write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        miniature('inaturalist', root, ann_file='train2018.json')


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    for text in ('{"images": [', '[]', '3', '{"images": 3, "annotations": 4}', '[' * 100_000):
        (tmp_path / 'train2018.json').write_text(text)
        with pytest.raises(DataError, match='must be JSON with'):
            miniature('inaturalist', tmp_path, ann_file='train2018.json')


def published_list(folder: Path, name: str, split: str) -> Path:
    """A list with the published numbers: `largest` images of class 0, `smallest` of the last, the rest between."""
    expected = PUBLISHED[name][split]
    rest, between = expected.images - expected.largest - expected.smallest, expected.classes - 2
    counts = [expected.largest, *(rest // between + (label < rest % between) for label in range(between))]
    counts.append(expected.smallest)
    path = folder / expected.list_name
    path.write_text(
        ''.join(f'train/c{label}/{number}.jpg {label}\n' for label, n in enumerate(counts) for number in range(n))
    )
    return path


@pytest.mark.parametrize(
    ('kind', 'split'), [(ImageNetLT, 'train'), (ImageNetLT, 'val'), (PlacesLT, 'test'), (INaturalist2018, 'val')]
)
def test_published_numbers_pass_and_one_image_less_does_not(
    tmp_path: Path, kind: Any, split: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = published_list(tmp_path, kind.NAME, split)
    expected = PUBLISHED[kind.NAME][split]
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    data = kind(split, str(tmp_path))
    logger.removeHandler(caplog.handler)
    assert (len(data), np.bincount(data.get_gt_labels()).max()) == (expected.images, expected.largest)
    assert 'not the published content' in caplog.text
    assert expected.git_blob in caplog.text
    rows = path.read_text().splitlines(keepends=True)
    path.write_text(''.join(rows[:5] + rows[6:]))
    found = blob_hash(path.read_bytes())
    with pytest.raises(DataError, match=rf'got {expected.images - 1:,} images.*hash is {found}, that of'):
        kind(split, str(tmp_path))
    assert len(kind(split, str(tmp_path), check_numbers=False)) == expected.images - 1


def test_class_that_the_published_set_does_not_have_is_named(tmp_path: Path) -> None:
    (tmp_path / 'Places_LT_val.txt').write_text('train/a/1.jpg 365\n')
    with pytest.raises(DataError, match=r'there are 365 classes.*got class 365'):
        PlacesLT('val', str(tmp_path))


def test_blob_hash_is_that_of_git() -> None:
    """`echo test | git hash-object --stdin`, from the book Pro Git, chapter 10.2: "test content"."""
    assert blob_hash(b'test content\n') == 'd670460b4b4aece5915caf5c68d12f560a9fe3e4'


def test_wrong_names_are_refused_with_the_right_ones() -> None:
    with pytest.raises(ConfigError, match=r"split must be one of \('train', 'val', 'test'\), got 'dev'"):
        ImageNetLT('dev')
    with pytest.raises(ConfigError, match=r"split must be one of \('train', 'val'\), got 'test'"):
        INaturalist2018('test')
    with pytest.raises(ConfigError, match=r"layout must be one of \('auto', 'listed', 'nested', 'flat'\), got 'deep'"):
        ImageNetLT(layout='deep', lazy_init=True)


def test_evaluation_splits_are_in_test_mode(tmp_path: Path) -> None:
    root = make_miniature(tmp_path, 'imagenet', 'flat')
    assert [miniature('imagenet', root, split=part).test_mode for part in PARTS['imagenet']] == [False, True, True]


@pytest.mark.parametrize(('name', 'folders', 'lists'), PAIRS)
def test_data_set_can_be_sent_to_another_process(tmp_path: Path, name: str, folders: str, lists: str) -> None:
    data = miniature(name, make_miniature(tmp_path, name, folders, lists), split=PARTS[name][-1])
    assert pickle.loads(pickle.dumps(data)).get_data_info(1) == data.get_data_info(1)
