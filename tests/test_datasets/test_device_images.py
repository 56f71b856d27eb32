"""Images kept on a device: the same batches, one copy, and a sentence where it cannot be."""

import copy
import logging
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader

from mmdrl.datasets import ArrayDataset, LongTailDataset, collate_images
from mmdrl.engine.config import load_config
from mmdrl.engine.preflight import check_data_paths
from mmdrl.errors import ConfigError

PACK = [dict(type='PackInputs')]


@pytest.fixture
def file(tmp_path: Path) -> str:
    images = np.random.default_rng(0).integers(0, 256, (5000, 4, 4, 3), dtype=np.uint8)
    np.savez(tmp_path / 'a.npz', images=images, labels=np.repeat(np.arange(5), 1000))
    return str(tmp_path / 'a.npz')


def batches(dataset: Any, **settings: Any) -> list[dict[str, Any]]:
    return list(DataLoader(dataset, batch_size=64, collate_fn=collate_images, **settings))


@pytest.mark.parametrize('order', ['rgb', 'bgr'])
def test_batches_are_those_out_of_the_file(file: str, order: Any) -> None:
    found, expected = (
        LongTailDataset(ArrayDataset(file, channel_order=order, images_on=device, pipeline=PACK), 10).get_subset(
            list(range(300, 100, -1))
        )
        for device in ('cpu', None)
    )
    for one, other in zip(batches(found), batches(expected), strict=True):
        assert torch.equal(one['inputs'], other['inputs'])
        assert one['inputs'].stride() == other['inputs'].stride()
        assert torch.equal(one['data_samples'].labels, other['data_samples'].labels)
        assert torch.equal(one['data_samples'].sample_idx, other['data_samples'].sample_idx)


def test_images_are_copied_once_at_the_first_batch_and_the_log_tells(file: str, caplog: Any) -> None:
    logger = MMLogger.get_instance('device_images')
    logger.addHandler(caplog.handler)
    caplog.set_level(logging.INFO, logger='device_images')
    dataset = ArrayDataset(file, images_on='cpu', pipeline=PACK)
    others = [dataset.get_subset(70), copy.copy(dataset), LongTailDataset(dataset, 10), copy.deepcopy(dataset)]
    assert 'are kept on' not in caplog.text
    for each in [dataset, *others, dataset]:
        batches(each)
    assert [record.message for record in caplog.records if 'kept' in record.message] == [
        '5,000 images are kept on cpu, in 0.2 MiB.'
    ]
    size = len(pickle.dumps(dataset))
    assert size < 5000 * 48  # another process makes a copy of its own
    assert torch.equal(batches(pickle.loads(pickle.dumps(dataset)))[0]['inputs'], batches(dataset)[0]['inputs'])


def test_one_image_comes_as_ever(file: str) -> None:
    dataset = ArrayDataset(file, images_on='cpu', pipeline=PACK)
    assert torch.equal(dataset[7]['inputs'], ArrayDataset(file, pipeline=PACK)[7]['inputs'])


def test_pipeline_that_works_on_images_is_refused(file: str) -> None:
    steps = [dict(type='RandomFlip', prob=0.5), *PACK]
    with pytest.raises(ConfigError, match='does something to every image'):
        ArrayDataset(file, images_on='cpu', pipeline=steps)


@pytest.mark.parametrize('device', ['gpu', 7.5, ''])
def test_device_that_does_not_exist_is_refused(file: str, device: Any) -> None:
    with pytest.raises(ConfigError, match='must name a device'):
        ArrayDataset(file, images_on=device, pipeline=PACK)


def test_gpu_that_is_not_there_is_told_at_the_first_batch(file: str) -> None:
    dataset = ArrayDataset(file, images_on='cuda:77', pipeline=PACK)
    assert len(dataset) == 5000
    with pytest.raises(ConfigError, match='needs that GPU'):
        batches(dataset)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_batches_are_made_on_the_gpu(file: str) -> None:
    batch = batches(ArrayDataset(file, images_on='cuda', channel_order='bgr', pipeline=PACK))[0]
    assert batch['inputs'].device.type == 'cuda'
    expected = batches(ArrayDataset(file, channel_order='bgr', pipeline=PACK))[0]
    assert torch.equal(batch['inputs'].cpu(), expected['inputs'])


def test_workers_are_refused_by_the_config_and_in_the_worker(file: str) -> None:
    dataset = dict(type='mmdrl.ArrayDataset', data_file=file, images_on='cuda', pipeline=PACK)
    cfg = dict(train_dataloader=dict(num_workers=0, dataset=dict(type='mmdrl.LongTailDataset', dataset=dataset)))
    check_data_paths(cfg, ('train_dataloader',))
    for setting in (dict(num_workers=2), dict(pin_memory=True)):
        cfg['train_dataloader'].update(dict(num_workers=0) | setting)
        with pytest.raises(ConfigError, match=r'train_dataloader\.dataset\.dataset\.images_on.*num_workers=0'):
            check_data_paths(cfg, ('train_dataloader',))
    with pytest.raises(ConfigError, match='the loader has workers'):
        batches(ArrayDataset(file, images_on='cpu', pipeline=PACK), num_workers=1)


def test_memory_is_not_pinned_for_images_on_a_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    base = Path(__file__).parents[2] / 'configs/drl_r8_digits-lt.py'
    inner = dict(type='mmdrl.ArrayDataset', data_file='a.npz', images_on='cuda', pipeline=PACK)
    (tmp_path / 'c.py').write_text(
        f'_base_ = [{str(base)!r}]\ntrain_dataloader = dict(dataset=dict(dataset={inner}))\n'
    )
    cfg = load_config(str(tmp_path / 'c.py'))
    assert cfg.train_dataloader.pin_memory is False
    assert cfg.val_dataloader.pin_memory is True
