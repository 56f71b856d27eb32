"""Images handed out as MMPretrain loads files, BGR: the model sees the very pixels that it saw of RGB."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command import ROOT
from miniature_cifar import noise, write_arrays, write_pickles
from mmengine.dataset import default_collate
from mmpretrain.structures import DataSample

from mmdrl.datasets import CIFAR, ArrayDataset
from mmdrl.engine.config import load_config
from mmdrl.errors import ConfigError
from mmdrl.registry import MODELS

PACK = [dict(type='PackInputs')]


def seen(dataset: Any, preprocessor: dict[str, Any], training: bool) -> torch.Tensor:
    """What a model sees of all images."""
    torch.manual_seed(0)
    np.random.seed(0)
    batch = default_collate([dataset[index] for index in range(len(dataset))])
    assert isinstance(batch['data_samples'][0], DataSample)
    inputs: torch.Tensor = MODELS.build(preprocessor)(batch, training)['inputs']
    return inputs


@pytest.mark.parametrize('number', [10, 100])
@pytest.mark.parametrize('part', ['train', 'test'])
def test_configs_of_cifar_show_the_model_the_same_bits_as_plain_rgb(tmp_path: Path, number: int, part: str) -> None:
    cfg = load_config(str(ROOT / f'configs/drl_r32_cifar{number}-lt.py'))
    images, labels = noise(number, 1)
    write_arrays(tmp_path, number, part, images, labels)
    given = cfg.get(f'{part}_dataloader').dataset
    pipeline = given.get('dataset', given)['pipeline']
    settings: dict[str, Any] = dict(num_classes=number, split=part, data_root=str(tmp_path), check_numbers=False)
    order = given.get('dataset', given)['channel_order']
    ours = CIFAR(**settings, pipeline=pipeline, channel_order=order)
    plain = CIFAR(**settings, pipeline=PACK)
    preprocessor = dict(cfg.data_preprocessor)
    assert preprocessor['to_rgb']
    augments = [
        step | dict(channel_order='rgb') if 'AutoAugment' in step['type'] else step
        for step in map(dict, preprocessor['augments'])
    ]
    assert augments != preprocessor['augments']
    expected = seen(plain, preprocessor | dict(to_rgb=False, augments=augments), part == 'train')
    assert torch.equal(seen(ours, preprocessor, part == 'train'), expected)
    mean, std = (np.array(preprocessor[name], np.float32) for name in ('mean', 'std'))
    if part == 'test':
        normalised = ((images.astype(np.float32) - mean) / std).transpose(0, 3, 1, 2)
        assert np.array_equal(expected.numpy(), normalised)


@pytest.mark.parametrize('write', [write_arrays, write_pickles])
def test_images_of_cifar_are_reversed_from_either_source(tmp_path: Path, write: Any) -> None:
    images, labels = noise(10, 1)
    write(tmp_path, 10, 'test', images, labels)
    dataset = CIFAR(10, 'test', str(tmp_path), False, channel_order='bgr', pipeline=PACK)
    again = pickle.loads(pickle.dumps(dataset))
    for position in range(10):
        assert np.array_equal(dataset.get_data_info(position)['img'], images[position][..., ::-1])
        assert np.array_equal(again.get_data_info(position)['img'], images[position][..., ::-1])


@pytest.mark.parametrize('channels', [1, 3, 4])
@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_arrays_of_three_channels_are_reversed_and_others_are_not(tmp_path: Path, channels: int, save: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 4, channels), dtype=np.uint8)
    save(tmp_path / 'a.npz', images=images, labels=np.arange(3))
    dataset = ArrayDataset(str(tmp_path / 'a.npz'), channel_order='bgr', pipeline=PACK)
    expected = images[..., ::-1] if channels == 3 else images
    for position in range(3):
        assert np.array_equal(dataset.get_data_info(position)['img'], expected[position])
    assert ('mapped' in repr(dataset)) == (save is np.savez)


def test_unknown_order_is_refused(tmp_path: Path) -> None:
    for build in (lambda: CIFAR(channel_order='RGB'), lambda: ArrayDataset('a.npz', channel_order='RGB')):
        with pytest.raises(ConfigError, match="channel_order must be 'bgr' or 'rgb', got 'RGB'"):
            build()
