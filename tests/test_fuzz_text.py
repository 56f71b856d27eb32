"""Any bytes as lists, JSON, names and options: read as a plain loop reads them, or refused in a sentence."""

# ruff: noqa: PT017  either outcome is right, and what an error says is a fact like any other

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.config import Config

from mmdrl.datasets.lists.inaturalist import read_json
from mmdrl.datasets.lists.path_lists import parse_path_list
from mmdrl.engine.config import _override
from mmdrl.engine.loops.position import Position
from mmdrl.errors import ConfigError, DataError
from mmdrl.hashed_files import named_hash

pytestmark = pytest.mark.faults
fuzz = settings(deadline=None, derandomize=True, max_examples=150, suppress_health_check=list(HealthCheck))
PIECES = [b'a.jpg', b'b c', b' ', b'\t', b'\n', b'\r', b'\r\n', b'0', b'12', b'-1', b'1.5', b'999999999', b'1' * 10]
PIECES += [b'\0', b'\xff', b'\xc3\xa9', b'\xef\xbb\xbf', b'\xd9\xa1', b'..', b'x' * 4096]
LISTS = st.binary(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=12).map(b''.join)


def read_slowly(content: bytes) -> list[tuple[bytes, int]] | int | None:
    """Rows of paths and labels; the number of the first wrong line, from 1; None if there is no row."""
    content = content.removeprefix(b'\xef\xbb\xbf')
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return content[: error.start].count(b'\n') + 1
    lines = [line.strip(b' \t\r') for line in content.split(b'\n')]
    while lines and not lines[-1]:
        lines.pop()
    rows = []
    for number, line in enumerate(lines, 1):
        match = re.fullmatch(rb'([^\r\0]*?)[ \t]+([0-9]{1,9})', line)
        if match is None or not match[1].strip(b' \t') or len(match[1].strip(b' \t')) > 4096:
            return number
        rows.append((match[1].strip(b' \t'), int(match[2])))
    return rows or None


@fuzz
@given(LISTS)
def test_list_is_what_a_plain_loop_reads_or_refused_with_the_line(content: bytes) -> None:
    wanted = read_slowly(content)
    try:
        paths, labels = parse_path_list(content, 'the list')
    except DataError as error:
        assert not isinstance(wanted, list), wanted
        assert 'found none' in str(error) if wanted is None else f'the list, line {wanted}: ' in str(error)
        return
    assert [(paths[row].encode(), label) for row, label in enumerate(labels.tolist())] == wanted


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(['id', 'name', 'images']), inner),
    max_leaves=5,
)
ENTRY = st.fixed_dictionaries({}, optional=dict.fromkeys(('id', 'file_name', 'image_id', 'category_id', 'name'), JSON))
ENTRIES = st.lists(ENTRY | JSON, max_size=3) | JSON
ANNOTATIONS = st.fixed_dictionaries({}, optional=dict(images=ENTRIES, annotations=ENTRIES, categories=ENTRIES))


@fuzz
@given(ANNOTATIONS | JSON, st.binary(max_size=3), st.integers(0, 200))
def test_annotations_are_read_or_refused(content: Any, rubbish: bytes, place: int) -> None:
    text = json.dumps(content).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'train2018.json'
        path.write_bytes(text[:place] + rubbish + text[place:])
        try:
            rows, names = read_json(path)
            parse_path_list(rows.encode(), str(path), unit='image')
        except DataError as error:
            assert 'train2018.json' in str(error)
            return
        assert names is None or all(names)


@fuzz
@given(JSON | st.dictionaries(st.sampled_from(list(Position.__dataclass_fields__)), JSON))
def test_position_is_one_or_refused(value: Any) -> None:
    try:
        position = Position.parse(value)
    except DataError as error:
        assert 'damaged' in str(error)
        return
    assert min(position.epoch, position.batches, position.images) >= 0


POSITION = dict(
    by_epoch=True, epoch=1, batches=2, batches_per_epoch=9, total_batch=4, images=36, sampler='Sampler', seed=0
)


@fuzz
@given(st.sampled_from(list(POSITION)), JSON)
def test_position_with_one_entry_changed_is_one_or_refused(key: str, value: Any) -> None:
    try:
        position = Position.parse(POSITION | {key: value})
    except DataError as error:
        assert key in str(error) or 'inside its epoch' in str(error)
        return
    kind = type(getattr(position, key))
    assert kind is type(POSITION[key]) or (kind is type(None) and key in ('batches_per_epoch', 'total_batch', 'seed'))


OPTION = st.lists(
    st.sampled_from(
        ['model', 'a', '0', '9', '.', '=', '[', ']', '(', ')', ',', "'", '"', '{', ' ', 'True', '-', '1e999']
    )
    | st.text(max_size=2),
    max_size=10,
).map(''.join)


@fuzz
@given(OPTION)
def test_override_changes_what_it_names_or_is_refused(option: str) -> None:
    cfg = Config(dict(model=dict(a=1, head=[dict(a=0)]), keep=dict(b=2)))
    try:
        _override(cfg, option)
    except ConfigError as error:
        assert '--cfg-options' in str(error)
        assert repr(option) in str(error)
        return
    assert '=' in option
    if not option.startswith('keep'):
        assert cfg.keep == dict(b=2)


@fuzz
@given(st.text(max_size=30) | st.from_regex(r'\A.{0,4}_[0-9]{8}-[0-9a-f]{7,9}\.pth.?\Z'))
def test_only_a_name_with_date_and_eight_digits_promises_a_hash(name: str) -> None:
    found = named_hash(name)
    assert found is None or (len(found) == 8 and name.rstrip('\n').endswith(f'-{found}.pth'))
