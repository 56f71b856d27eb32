"""Workers name the images that the training process has; what it takes is what they would have sent."""

from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from mmdrl.datasets import ArrayDataset, LongTailDataset
from mmdrl.datasets.batches import fetch, parents_images
from mmdrl.datasets.batches.collate import collate_images
from mmdrl.datasets.batches.parents_images import KnownImages

PACK = [dict(type='PackInputs')]


class SizeOf:
    """Collates, and notes how many bytes the batch would be when it is sent."""

    def __call__(self, batch: Any) -> Any:
        made = collate_images(batch)
        return made['inputs'], torch.tensor(len(ForkingPickler.dumps(made)))


@pytest.fixture(params=[np.savez, np.savez_compressed], ids=['mapped', 'in memory'])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    request.param(tmp_path / 'images.npz', images=images, labels=np.arange(40) % 4)
    return dict(data_file=str(tmp_path / 'images.npz'), pipeline=PACK, channel_order='bgr')


def loader(dataset: Any, **settings: Any) -> DataLoader:
    return DataLoader(dataset, **{'batch_size': 8, 'collate_fn': collate_images, **settings})


@pytest.mark.parametrize('start', ['fork', pytest.param('spawn', marks=pytest.mark.slow)])
def test_batches_of_workers_are_taken_by_the_training_process(
    settings: dict[str, Any], start: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if start == 'spawn' and request.node.callspec.params['settings'] is not np.savez:
        pytest.skip('takes five seconds, and shows no more')
    dataset = LongTailDataset(ArrayDataset(**settings), imbalance_ratio=2).get_subset(np.arange(20)[::-1])
    expected = list(loader(dataset))
    taken: list[int] = []  # of this process
    gather = fetch.gather
    monkeypatch.setattr(fetch, 'gather', lambda images, rows: taken.append(len(rows)) or gather(images, rows))
    found = list(loader(dataset, num_workers=1, multiprocessing_context=start))
    assert taken == [8, 8, 4]
    for batch, other in zip(found, expected, strict=True):
        assert torch.equal(batch['inputs'], other['inputs'])
        assert batch['inputs'].stride() == other['inputs'].stride()
        assert torch.equal(batch['data_samples'].labels, other['data_samples'].labels)


def test_a_named_batch_takes_less_room_than_one_image(settings: dict[str, Any]) -> None:
    _, size = next(iter(loader(ArrayDataset(**settings), num_workers=1, collate_fn=SizeOf())))
    assert size < 32 * 32 * 3 / 2


def test_images_that_only_a_worker_has_read_are_sent(settings: dict[str, Any]) -> None:
    unread = ArrayDataset(**settings, lazy_init=True)
    found = torch.cat([batch['inputs'] for batch in loader(unread, sampler=range(40), num_workers=1)])
    assert not unread._fully_initialized
    assert torch.equal(found, torch.cat([batch['inputs'] for batch in loader(unread)]))


def test_images_are_known_by_name_as_long_as_a_data_set_has_them(settings: dict[str, Any]) -> None:
    dataset = ArrayDataset(**settings)
    subset = dataset.get_subset([3])
    name = dataset._known_images.name
    assert subset._known_images.name == name
    del dataset
    assert name in parents_images._KNOWN
    del subset
    assert name not in parents_images._KNOWN


def test_only_a_worker_names_images() -> None:
    assert not KnownImages(np.zeros((1, 2, 2, 1), np.uint8)).are_parents()
