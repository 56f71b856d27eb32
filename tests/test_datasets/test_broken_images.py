"""Broken image files are named, counted across workers, replaced within their class, and stop the run when many."""

import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from list_reader import note_broken
from miniature import write_noise
from mmengine.dataset import RepeatDataset
from mmengine.logging import MMLogger
from PIL import Image
from torch.utils.data import DataLoader

from mmdrl.datasets import ImageListDataset, LongTailDataset
from mmdrl.datasets.lists.broken_images import BrokenImages, broken_paths, decoding_fault
from mmdrl.errors import DataError

COUNT, CLASSES = 12, 3


def cut(path: Path, keep: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])


def as_png(path: Path) -> None:
    content = io.BytesIO()
    Image.open(path).save(content, 'PNG')
    path.write_bytes(content.getvalue()[:-400])


DAMAGE = {
    'half of it': (lambda path: cut(path, 0.5), 'cannot be decoded .*truncated'),
    'no end marker': (lambda path: path.write_bytes(path.read_bytes()[:-2]), 'cannot be decoded .*truncated'),
    'header only': (lambda path: path.write_bytes(path.read_bytes()[:2]), 'is no image'),
    'one byte': (lambda path: path.write_bytes(b'\xff'), 'is no image'),
    'empty': (lambda path: path.write_bytes(b''), 'is empty'),
    'a web page': (lambda path: path.write_text('<html>404</html>'), 'is no image'),
    'missing': (lambda path: path.unlink(), 'does not exist'),
    'a folder': (lambda path: (path.unlink(), path.mkdir()), 'cannot be decoded .*[Dd]irectory'),
    'cut png': (as_png, 'cannot be decoded'),
}
BACKENDS = ('cv2', 'pillow')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for row in range(COUNT):
        write_noise(tmp_path / f'{row}.jpg', rng)
    (tmp_path / 'list.txt').write_text(''.join(f'{row}.jpg {row % CLASSES}\n' for row in range(COUNT)))
    return tmp_path


@pytest.fixture
def log() -> Any:
    import logging

    records: list[str] = []
    handler = logging.Handler()
    handler.addFilter(
        lambda record: record.getMessage().startswith('Broken image') and not records.append(record.getMessage())
    )
    handler.emit = lambda record: None  # type: ignore[method-assign]
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)


def dataset(folder: Path, backend: str = 'cv2', **settings: Any) -> ImageListDataset:
    pipeline = [dict(type='LoadImageFromFile', imdecode_backend=backend), dict(type='PackInputs')]
    return ImageListDataset('list.txt', str(folder), pipeline=pipeline, **settings)


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('damage', DAMAGE)
def test_broken_image_is_named_counted_and_replaced_by_one_of_its_class(
    folder: Path, log: list, damage: str, backend: str
) -> None:
    spoil, reason = DAMAGE[damage]
    spoil(folder / '4.jpg')
    data = dataset(folder, backend)
    sample = data[4]
    assert int(sample['data_samples'].gt_label) == 4 % CLASSES
    assert sample['data_samples'].img_path == str(folder / '7.jpg')
    data[4], data[-8]  # known by now
    assert data.broken_paths() == [str(folder / '4.jpg')]
    assert len(log) == 1
    assert log[0].startswith(f'Broken image 1 (training stops after 10): {folder / "4.jpg"} ')
    with pytest.raises(DataError, match=rf'4\.jpg {reason}.*evaluation must not leave'):
        dataset(folder, backend, test_mode=True)[4]


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('tail', [b'\0' * 40, b'\n', b'some text', b'\xff\xd9\0'])
def test_bytes_behind_the_end_of_an_image_do_not_make_it_broken(folder: Path, backend: str, tail: bytes) -> None:
    path = folder / '4.jpg'
    path.write_bytes(path.read_bytes() + tail)
    data = dataset(folder, backend)
    assert data[4]['data_samples'].img_path == str(path)
    assert data.broken_paths() == []
    path.write_bytes(b'')  # it has been looked at once; what it has become since, the loader finds
    assert data[4]['data_samples'].img_path == str(folder / '7.jpg')


@pytest.mark.parametrize('kind', ['PNG', 'BMP', 'GIF', 'WEBP', 'TIFF'])
def test_other_formats_are_read(folder: Path, kind: str) -> None:
    image = Image.open(folder / '4.jpg').convert('RGB')
    image.save(folder / '4.jpg', kind)
    data = dataset(folder, 'pillow')
    assert data[4]['data_samples'].img_path == str(folder / '4.jpg')


def test_what_only_the_loader_cannot_decode_is_broken_for_it(folder: Path, log: list) -> None:
    """Pillow reads this old format, cv2 does not."""
    Image.open(folder / '4.jpg').save(folder / '4.jpg', 'PCX')
    assert decoding_fault(str(folder / '4.jpg')) is None
    assert dataset(folder, 'cv2')[4]['data_samples'].img_path == str(folder / '7.jpg')
    assert 'cannot be decoded by LoadImageFromFile' in log[0]


def test_mistake_in_a_pipeline_is_no_broken_image(folder: Path) -> None:
    class Wrong:
        def __call__(self, results: dict) -> dict:
            raise RuntimeError('a bug')

    data = ImageListDataset('list.txt', str(folder), pipeline=[dict(type='LoadImageFromFile'), Wrong()])
    with pytest.raises(RuntimeError, match='a bug'):
        data[4]
    assert data.broken_paths() == []


def test_limit_stops_with_the_last_and_the_count(folder: Path) -> None:
    for row in (0, 4, 8):
        cut(folder / f'{row}.jpg', 0.5)
    data = dataset(folder, max_broken=2)
    data[0], data[4]
    with pytest.raises(DataError, match=r'8\.jpg cannot be decoded.*broken image 3 of 12, and at most 2 may be'):
        data[8]
    with pytest.raises(DataError, match=r'0\.jpg .*broken image 1 of 12, and at most 0'):
        dataset(folder, max_broken=0)[0]


@pytest.mark.parametrize(('images', 'limit'), [(12, 10), (10_000, 10), (437_513, 437)])
def test_limit_is_a_thousandth_and_at_least_ten(images: int, limit: int) -> None:
    assert BrokenImages(images).limit == limit


def test_class_of_broken_images_only_is_an_error(folder: Path) -> None:
    for row in range(1, COUNT, CLASSES):
        (folder / f'{row}.jpg').unlink()
    with pytest.raises(DataError, match='any image of class 1'):
        dataset(folder)[4]


def test_end_is_looked_at_before_and_apart_from_decoding(folder: Path) -> None:
    """A loader that shows half of a JPEG as if it were whole, as cv2 4 does, stands for one that decodes nothing."""
    cut(folder / '4.jpg', 0.5)
    settings = dict(ann_file='list.txt', data_root=str(folder), pipeline=[])
    assert ImageListDataset(**settings)[4]['img_path'] == str(folder / '7.jpg')
    assert ImageListDataset(**settings, check_images=False)[4]['img_path'] == str(folder / '4.jpg')


def test_wrapped_subset_notes_its_images_in_the_same_place(folder: Path) -> None:
    cut(folder / '5.jpg', 0.5)
    whole = dataset(folder)
    part = whole.get_subset([2, 5])
    assert part[1]['data_samples'].img_path == str(folder / '2.jpg')
    wrapped = RepeatDataset(part, 2)
    assert broken_paths(wrapped) == broken_paths(whole) == [str(folder / '5.jpg')]


def test_long_tail_takes_another_image_of_the_class_and_of_its_own_part(folder: Path) -> None:
    tail = LongTailDataset(dataset(folder), imbalance_ratio=2, holdout_per_class=1)
    position = int(np.flatnonzero(tail.get_gt_labels() == 0)[0])
    cut(Path(tail.get_data_info(position)['img_path']), 0.5)
    sample = tail[position]['data_samples']
    own = {tail.get_data_info(row)['img_path'] for row in range(len(tail)) if tail.get_cat_ids(row) == [0]}
    assert int(sample.gt_label) == 0
    assert sample.img_path in own
    assert len(broken_paths(tail)) == 1


@pytest.mark.parametrize(('start', 'workers'), [('fork', 2), pytest.param('spawn', 1, marks=pytest.mark.slow)])
def test_workers_count_together(folder: Path, start: Any, workers: int) -> None:
    for row in (0, 4, 8):
        cut(folder / f'{row}.jpg', 0.5)
    data = dataset(folder)
    context = torch.multiprocessing.get_context(start)
    answers = context.SimpleQueue()
    for _ in range(workers):
        worker = context.Process(target=note_broken, args=(data, answers))
        worker.start()
        assert answers.get() == [1, 2, 3, 5, 6, 7, 9, 10, 11]
        worker.join()
    assert data.broken_paths() == [str(folder / f'{row}.jpg') for row in (0, 4, 8)]


def test_limit_reached_in_a_worker_is_one_sentence_in_the_main_process(folder: Path) -> None:
    for row in (0, 4, 8):
        cut(folder / f'{row}.jpg', 0.5)
    loader = DataLoader(dataset(folder, max_broken=2), batch_size=2, num_workers=2, collate_fn=list)
    with pytest.raises(DataError) as refusal:
        list(itertools.chain(loader))
    text = str(refusal.value)
    assert 'Traceback' not in text
    assert '\n' not in text
    assert text.startswith(str(folder))
    assert 'broken image 3 of 12, and at most 2 may be' in text
