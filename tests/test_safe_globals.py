"""Checkpoints of MMEngine load with the safety on, and only they."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from digits_run import short_config, train
from mmengine.logging import HistoryBuffer

from mmdrl.safe_globals import register_safe_globals


@pytest.fixture(autouse=True)
def registered() -> None:
    register_safe_globals()  # again, as onedl-mmengine takes them back after each load of its own


class Payload:
    """Pickles into a call."""

    def __init__(self, function: Any, *arguments: Any):
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.host
def test_checkpoint_of_a_run_loads_with_weights_only(tmp_path: Path) -> None:
    runner = train(short_config(tmp_path / 'run', [dict(name='only', epochs=1)]))
    checkpoint = torch.load(tmp_path / 'run/epoch_1.pth', weights_only=True)
    assert torch.equal(checkpoint['state_dict']['head.fc.weight'], runner.model.head.fc.weight)
    assert isinstance(checkpoint['message_hub']['log_scalars']['train/loss'], HistoryBuffer)


def test_payload_that_would_touch_a_file_is_refused(tmp_path: Path) -> None:
    touched = tmp_path / 'touched'
    torch.save({'state_dict': Payload(open, str(touched), 'w')}, tmp_path / 'bad.pth')
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / 'bad.pth', weights_only=True)
    assert not touched.exists()


@pytest.mark.parametrize('name', ['__init__', '__class__', '__reduce__', 'register_statistics'])
def test_attributes_beyond_the_four_methods_are_out_of_reach(tmp_path: Path, name: str) -> None:
    torch.save(Payload(getattr, HistoryBuffer, name), tmp_path / 'bad.pth')
    with pytest.raises(pickle.UnpicklingError, match='HistoryBuffer'):
        torch.load(tmp_path / 'bad.pth', weights_only=True)
