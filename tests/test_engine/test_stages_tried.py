"""What is tried of a stage before training leaves no trace, and nothing that would work is refused."""

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from mmpretrain.models import ClsDataPreprocessor, CrossEntropyLoss, LinearClsHead
from mmpretrain.structures import DataSample
from torch import nn

from mmdrl.engine.stages.stage import Stage
from mmdrl.engine.stages.tried import try_images, try_loss
from mmdrl.engine.unread import UnreadDataset
from mmdrl.errors import ConfigError
from mmdrl.registry import TRANSFORMS

HEAD = LinearClsHead(num_classes=3, in_channels=2)
PACKS = ClsDataPreprocessor()
SEEN: list[Any] = []


@TRANSFORMS.register_module()
class TriedTransform:
    """Draws from every generator; gives what it is told to."""

    def __init__(self, gives: str = 'inputs', path: str = ''):
        self.gives, self.path, self.calls = gives, path, 0

    def __call__(self, sample: dict[str, Any]) -> dict[str, Any]:
        SEEN.append(self)
        self.calls += 1
        random.random(), np.random.rand(), torch.rand(1)
        if self.path:
            Path(self.path).read_bytes()
        return {self.gives: 0, 'data_samples': DataSample()}


class Images:
    """As the stage shows them."""

    def __init__(self, *scores: float):
        self.pipeline = Compose([TriedTransform()])
        self.scores = scores

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = self.pipeline({})
        return sample | dict(data_samples=DataSample(**(dict(gt_score=self.scores) if self.scores else {})))


def stage(**settings: Any) -> Stage:
    return Stage('fine', 1, pipeline=[dict(type='mmdrl.TriedTransform', **settings)])


def drawn() -> tuple[float, ...]:
    return random.random(), float(np.random.rand()), float(torch.rand(1))


def draw_after(what: Any) -> tuple[float, ...]:
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    what()
    return drawn()


def test_trying_an_image_leaves_transforms_and_random_numbers_as_they_were() -> None:
    images = Images()
    SEEN.clear()
    assert draw_after(lambda: try_images(stage(), images, PACKS)) == draw_after(lambda: None)
    assert [part.calls for part in SEEN] == [1]
    assert [part.calls for part in images.pipeline.transforms] == [0]


def test_what_a_preprocessor_of_one_s_own_takes_is_not_judged() -> None:
    try_images(stage(gives='pixels'), Images(), nn.Identity())
    with pytest.raises(ConfigError, match='must end with PackInputs'):
        try_images(stage(gives='pixels'), Images(), PACKS)


def test_file_that_is_missing_is_no_mistake_of_the_transforms() -> None:
    with pytest.raises(FileNotFoundError):
        try_images(stage(path='/lost.jpg'), Images(), PACKS)


class Noisy(nn.Module):
    def forward(self, scores: torch.Tensor, target: torch.Tensor, avg_factor: int) -> torch.Tensor:
        return torch.rand(())


def test_trying_a_loss_leaves_random_numbers_as_they_were() -> None:
    assert draw_after(lambda: try_loss(stage(), HEAD, Noisy(), False, None)) == draw_after(lambda: None)


SOFT = CrossEntropyLoss(use_soft=True)


@pytest.mark.parametrize('images', [Images(0.5, 0.25, 0.25), UnreadDataset(3, None)])
def test_loss_of_scores_is_taken_for_data_that_have_them_or_may(images: Any) -> None:
    try_loss(stage(), HEAD, SOFT, False, images)


def test_loss_of_scores_is_refused_for_labels() -> None:
    with pytest.raises(ConfigError, match='CrossEntropyLoss fails on labels of 3 classes'):
        try_loss(stage(), HEAD, SOFT, False, Images())
    try_loss(stage(), HEAD, SOFT, True, Images())


def test_head_that_asks_its_loss_in_another_way_is_left_alone() -> None:
    try_loss(stage(), SimpleNamespace(num_classes=3), SOFT, False, Images())
