"""Array files and checkpoints with damaged bytes: what was saved comes back, or a sentence, and never code."""

# ruff: noqa: PT017  either outcome is right, and what an error says is a fact like any other

import io
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmdrl.datasets.arrays.array_file import read_arrays
from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.errors import DataError

pytestmark = pytest.mark.faults
fuzz = settings(deadline=None, derandomize=True, max_examples=150, suppress_health_check=list(HealthCheck))
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 1])
WEIGHTS = {'a': torch.arange(40.0), 'b': torch.arange(6).reshape(2, 3)}
# Changes: where, as a share of the length, and by what; bytes cut from the end, and put behind it.
CHANGES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=3)
DAMAGE = st.tuples(CHANGES, st.integers(0, 40), st.binary(max_size=3))


def saved(is_compressed: bool) -> bytes:
    stream = io.BytesIO()
    (np.savez_compressed if is_compressed else np.savez)(stream, images=IMAGES, labels=LABELS)
    return stream.getvalue()


def checkpoint(is_zip: bool = True) -> bytes:
    stream = io.BytesIO()
    content = dict(state_dict=WEIGHTS, meta=dict(epoch=3, iter=7))
    torch.save(content, stream, _use_new_zipfile_serialization=is_zip)
    return stream.getvalue()


def spoilt(content: bytes, damage: tuple[list[tuple[float, int]], int, bytes]) -> bytes:
    changed = bytearray(content)
    for where, by in damage[0]:
        changed[int(where * len(changed))] ^= by
    return bytes(changed[: len(changed) - damage[1]]) + damage[2]


NPZ = {is_compressed: saved(is_compressed) for is_compressed in (False, True)}
CHECKPOINT = checkpoint()


@fuzz
@given(st.booleans(), DAMAGE)
def test_damaged_arrays_are_what_was_saved_or_refused(is_compressed: bool, damage: tuple) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / 'x.npz'
        path.write_bytes(spoilt(NPZ[is_compressed], damage))
        try:
            arrays = read_arrays(path)
        except DataError as error:
            assert 'x.npz' in str(error)
            return
        assert np.array_equal(np.stack([arrays.images[row] for row in range(len(arrays.images))]), IMAGES)
        assert np.array_equal(arrays.labels, LABELS)


def read_as_saved(content: bytes) -> bool:
    """Whether it is read, and then as it was saved."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / 'x.pth'
        path.write_bytes(content)
        try:
            found = read_checkpoint(str(path))
        except DataError as error:
            assert 'x.pth' in str(error)
            return False
    assert found is not None
    assert all(torch.equal(found['state_dict'][name], value) for name, value in WEIGHTS.items())
    assert found['meta'] == dict(epoch=3, iter=7)
    return True


@fuzz
@given(DAMAGE)
def test_damaged_checkpoint_is_what_was_saved_or_refused(damage: tuple) -> None:
    read_as_saved(spoilt(CHECKPOINT, damage))


def test_every_flipped_byte_of_a_weight_is_noticed() -> None:
    """Torch itself loads the changed number without a word."""
    place = CHECKPOINT.index(WEIGHTS['a'].numpy().tobytes())
    for offset in range(0, 160, 7):
        changed = bytearray(CHECKPOINT)
        changed[place + offset] ^= 0x10
        assert not read_as_saved(bytes(changed))
    assert read_as_saved(CHECKPOINT)


def test_checkpoint_without_checksums_is_read(tmp_path: Path) -> None:
    """As torch writes it when it is told to leave them out."""
    try:
        torch.serialization.set_crc32_options(False)
        content = checkpoint()
    finally:
        torch.serialization.set_crc32_options(True)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert not any(member.CRC for member in archive.infolist())
    assert read_as_saved(content)


def test_checkpoint_as_torch_wrote_it_before_zip_is_read() -> None:
    assert read_as_saved(checkpoint(is_zip=False))
