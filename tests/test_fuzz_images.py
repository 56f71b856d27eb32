"""Damaged image files: an image of the right shape, or another one of its class; no crash, and an end to it."""

import io
import os
import time
from pathlib import Path

import numpy as np
import pytest
from forks import Forks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from worker_images import SIZE, dataset

from mmdrl.errors import DataError

pytestmark = pytest.mark.faults
KINDS = ('JPEG', 'PNG')
BOUND = 5.0  # seconds that one image may take


def encoded(kind: str, **settings: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 28, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **settings)
    return stream.getvalue()


IMAGES = {'JPEG': encoded('JPEG', progressive=True), 'PNG': encoded('PNG')}


def write(folder: Path, contents: list[bytes]) -> Path:
    """A list of these images, each in a class of its own with a sound one."""
    lines = []
    for row, content in enumerate(contents):
        (folder / f'{row}.jpg').write_bytes(content)
        (folder / f'{row}_sound.jpg').write_bytes(IMAGES['JPEG'])
        lines += [f'{row}.jpg {row}\n', f'{row}_sound.jpg {row}\n']
    (folder / 'list.txt').write_text(''.join(lines))
    return folder


def shown(folder: Path, row: int = 0) -> str:
    """Name of the image that is shown for one, by which it is known that it has the right shape and class."""
    began = time.monotonic()
    sample = dataset(str(folder))[2 * row]
    assert time.monotonic() - began < BOUND
    assert tuple(sample['inputs'].shape) == SIZE
    assert int(sample['data_samples'].gt_label) == row
    return Path(sample['data_samples'].img_path).name


@pytest.mark.parametrize('kind', KINDS)
def test_image_cut_anywhere_is_replaced(tmp_path: Path, kind: str) -> None:
    whole = IMAGES[kind]
    folder = write(tmp_path, [whole[: len(whole) * part // 16] for part in range(16)] + [whole])
    for row in range(16):
        assert shown(folder, row) == f'{row}_sound.jpg'
    assert shown(folder, 16) == '16.jpg'


@pytest.mark.parametrize('kind', KINDS)
@settings(deadline=None, derandomize=True, max_examples=120, suppress_health_check=list(HealthCheck))
@given(
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=6),
    tail=st.binary(max_size=20),
)
def test_image_with_other_bytes_is_shown_or_replaced_alike_each_time(
    tmp_path: Path, kind: str, changes: list, tail: bytes
) -> None:
    content = bytearray(IMAGES[kind])
    for where, by in changes:
        content[int(where * len(content))] ^= by
    folder = write(tmp_path, [bytes(content) + tail])
    first = shown(folder)
    assert first in ('0.jpg', '0_sound.jpg')
    assert shown(folder) == first


def bomb() -> bytes:
    """100 kB that would be 2.7 GB when decoded."""
    stream = io.BytesIO()
    Image.new('1', (30_000, 30_000)).save(stream, 'PNG')
    return stream.getvalue()


def chunks() -> bytes:
    """An image with a megabyte of text in a few kilobytes."""
    text = PngImagePlugin.PngInfo()
    text.add_text('comment', 'x' * 2**20, zip=True)
    return encoded('PNG', pnginfo=text)


def test_process_and_its_workers_outlive_damaged_images_and_bombs(forks: Forks, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    contents = [bomb(), chunks()]
    for number in range(120):
        content = bytearray(IMAGES[KINDS[number % 2]])
        for place in rng.integers(2, len(content), rng.integers(1, 30)):
            content[place] = rng.integers(256)
        contents.append(bytes(content[: rng.integers(len(content) // 2, len(content) + 1)]))
    write(tmp_path, contents)
    read, replaced, peak = map(int, forks.run(1, 'worker_images.py', tmp_path, 2, cwd=tmp_path).split()[-3:])
    assert read == 2 * len(contents)
    assert 60 < replaced <= 121
    assert peak < 2000  # MB; the first image alone would be 2,700


FORMATS = {
    'one pixel': (lambda image: image.resize((1, 1)), 'JPEG'),
    'four colours': (lambda image: image.convert('CMYK'), 'JPEG'),
    'grey': (lambda image: image.convert('L'), 'JPEG'),
    'with transparency': (lambda image: image.convert('RGBA'), 'PNG'),
    'of a palette': (lambda image: image.convert('P'), 'PNG'),
    'of 16 bits': (lambda image: Image.fromarray(np.asarray(image.convert('L')).astype(np.uint16) * 257), 'PNG'),
    'moving': (lambda image: image, 'GIF'),
}


@pytest.mark.parametrize('name', FORMATS)
def test_unusual_image_has_the_shape_of_any_other(tmp_path: Path, name: str) -> None:
    convert, kind = FORMATS[name]
    image, stream = convert(Image.open(io.BytesIO(IMAGES['PNG'])).convert('RGB')), io.BytesIO()
    more = dict(save_all=True, append_images=[image.rotate(90)]) if kind == 'GIF' else {}
    image.save(stream, kind, **more)
    assert shown(write(tmp_path, [stream.getvalue()])) == '0.jpg'


def test_pipe_in_place_of_an_image_is_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path, [b''])
    (tmp_path / '0.jpg').unlink()
    os.mkfifo(tmp_path / '0.jpg')
    assert shown(tmp_path) == '0_sound.jpg'
    with pytest.raises(DataError, match=r'0\.jpg is no file, and an evaluation must not leave an image out'):
        dataset(str(tmp_path), test_mode=True)[0]


def test_damage_beyond_the_limit_ends_in_a_sentence(tmp_path: Path) -> None:
    write(tmp_path, [IMAGES['JPEG'][:-9]] * 4)
    data = dataset(str(tmp_path), max_broken=2)
    with pytest.raises(DataError, match=r'2\.jpg .*broken image 3 of 8, and at most 2 may be.*raise max_broken'):
        [data[row] for row in range(0, 8, 2)]
