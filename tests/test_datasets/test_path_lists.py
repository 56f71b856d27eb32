"""Lists of `path label` lines: read as a plain loop reads them, refused with the line that is wrong."""

import lzma
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdrl.datasets.lists.path_lists import parse_path_list, read_path_list
from mmdrl.errors import DataError

PART = st.text(st.characters(codec='utf-8', exclude_characters='\\/\n\r\0:~.', exclude_categories=['Cs']), min_size=1)
PATHS = st.lists(PART, min_size=1, max_size=3).map('/'.join).filter(lambda path: path == path.strip(' \t'))
ROWS = st.lists(st.tuples(PATHS, st.integers(0, 10**9 - 1)), min_size=1, max_size=20, unique_by=lambda row: row[0])


def read(tmp_path: Path, content: str | bytes, num_classes: int | None = None, **settings: bool) -> tuple[list, list]:
    path = tmp_path / 'list.txt'
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    paths, labels = read_path_list(path, num_classes, **settings)
    return [paths[row] for row in range(len(paths))], labels.tolist()


@settings(max_examples=200, deadline=None)
@given(
    rows=ROWS,
    separator=st.sampled_from([' ', '\t', '  \t']),
    line_end=st.sampled_from(['\n', '\r\n', ' \n']),
    tail=st.sampled_from(['', '\n', '\r\n\r\n', '\n \n\t\n']),
    mark=st.sampled_from([b'', b'\xef\xbb\xbf']),
)
def test_rows_come_back_as_they_were_written(rows: list, separator: str, line_end: str, tail: str, mark: bytes) -> None:
    text = line_end.join(f'{path}{separator}{label}' for path, label in rows) + tail
    paths, labels = parse_path_list(mark + text.encode(), 'the list')
    assert [paths[row] for row in range(len(paths))] == [path for path, _ in rows]
    assert labels.tolist() == [label for _, label in rows]
    assert labels.dtype == np.int64


def test_path_may_hold_spaces_numbers_and_dots(tmp_path: Path) -> None:
    paths, labels = read(tmp_path, 'a b/c 7 .jpg 0\n..a/b..c/...jpg 1\ndir/0 0')
    assert paths == ['a b/c 7 .jpg', '..a/b..c/...jpg', 'dir/0']
    assert labels == [0, 1, 0]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('', r'found none'),
        ('\n\n', r'found none'),
        ('a.jpg 0\nb.jpg\n', r'line 2: expected "path label".*b\.jpg'),
        ('a.jpg 0\n\nb.jpg 0\n', r"line 2: .*got ''"),
        ('a.jpg 0\nb.jpg cat\n', r'line 2: .*number.*b\.jpg cat'),
        ('a.jpg 0\nb.jpg 1.0\n', r'line 2: .*number'),
        ('a.jpg 0\nb.jpg -1\n', r'line 2: a label must be at least 0.*b\.jpg -1'),
        ('a.jpg 0\n7\n', r'line 2: expected "path label"'),
        ('a.jpg 0\n 7 \n', r"line 2: expected .*'7'"),
        ('a.jpg 0\nb.jpg \u0661\n', r'line 2: expected'),  # a digit, but of another script
        ('a.jpg 0\nb.jpg 1234567890\n', r'line 2: .*at most 9 digits'),
        ('a.jpg 0\nb.jpg 99999999999999999999999999\n', r'line 2: .*at most 9 digits'),
        ('a.jpg 0\rb.jpg 0', r'line 1: .*control characters'),
        ('a.jpg 0\nb\0.jpg 0', r'line 2: .*control characters'),
        ('a.jpg 0\n' + 'x' * 4097 + ' 0', r'line 2: .*at most 4096'),
        (b'a.jpg 0\nb\xff.jpg 0\n', r'line 2: expected text in UTF-8, got 0xff'),
        ('a.jpg 0\nb.jpg 0\n'.encode('utf-16'), r'line 1: expected text in UTF-8'),
        ('a.jpg 0\nb.jpg 1\na.jpg 1\n', r"line 3: every image must occur once, got 'a\.jpg' again, which line 1 has"),
        ('a.jpg 0\n/etc/passwd 0\n', r'line 2: paths must be relative.*/etc/passwd'),
        ('a.jpg 0\n../b.jpg 0\n', r'line 2: paths must be relative'),
        ('a.jpg 0\nx/../../b.jpg 0\n', r'line 2: paths must be relative'),
        ('a.jpg 0\nx/.. 0\n', r'line 2: paths must be relative'),
        ('a.jpg 0\nx\\..\\b.jpg 0\n', r'line 2: paths must be relative'),
        ('a.jpg 0\n\\\\server\\b.jpg 0\n', r'line 2: paths must be relative'),
        ('a.jpg 0\nC:\\b.jpg 0\n', r'line 2: paths must be relative'),
        ('a.jpg 0\nhttp://x/b.jpg 0\n', r'line 2: paths must be relative'),
        ('a.jpg 0\n~/b.jpg 0\n', r'line 2: paths must be relative'),
        ('a.jpg 0\nb.jpg 2\n', r'no image of class 1, though its labels go up to 2 \(1 classes'),
        ('a.jpg 3\nb.jpg 3\n', r'no image of class 0'),
        ('a.jpg 0\nb.jpg 999999999\n', r'no image of class 1,'),
    ],
)
def test_bad_list_is_refused_with_its_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as refusal:
        read(tmp_path, content)
    assert 'list.txt' in str(refusal.value)
    assert len(str(refusal.value)) < 400


def test_unknown_class_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'line 2: there are 2 classes.*\[0, 2\), got class 2\. '):
        read(tmp_path, 'a.jpg 0\nb.jpg 2\nc.jpg 1\n', num_classes=2)


def test_subset_may_lack_classes_if_it_says_so(tmp_path: Path) -> None:
    assert read(tmp_path, 'a.jpg 0\nb.jpg 2\n', num_classes=3, allow_empty_classes=True)[1] == [0, 2]


def test_missing_list_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / 'no.txt', tmp_path):
        with pytest.raises(DataError, match=f'list file at {path}, found none'):
            read_path_list(path)


@pytest.mark.parametrize('length', [1, 7, 8, 9, 15, 16, 17, 40])
def test_paths_that_differ_in_one_byte_are_different_images(tmp_path: Path, length: int) -> None:
    """At every place of the eight bytes that are compared at once."""
    base = 'a' * length
    paths = [base] + [f'{base[:place]}b{base[place + 1 :]}' for place in range(length)] + [base + 'a']
    assert len(read(tmp_path, ''.join(f'{path} 0\n' for path in paths))[0]) == length + 2
    with pytest.raises(DataError, match=f'line {length + 3}: .*which line {length + 1} has'):
        read(tmp_path, ''.join(f'{path} 0\n' for path in [*paths, paths[length]]))


def test_paths_take_few_bytes_each() -> None:
    """The bytes of the file and six more for each image."""
    text = ''.join(f'train_val2018/Plantae/{n % 10}/{n:032x}.jpg {n % 10}\n' for n in range(1000)).encode()
    paths, _ = parse_path_list(text, 'the list')
    assert paths.nbytes <= len(text) + 6 * 1000 + 8


def test_compressed_list_is_no_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='line 1: '):
        read(tmp_path, lzma.compress(b'a.jpg 0\n'))
