"""The DR loss under networks of MMPretrain: what each hands over, and that the loss reaches its first layer."""

from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_networks import FITTING, GAP, RESNET, VIT, VIT_ARCH, batch, build, make_runner

from mmdrl.errors import ConfigError
from mmdrl.models import ClassCentroids

pytestmark = [pytest.mark.slow, pytest.mark.host]


@pytest.mark.parametrize('name', FITTING)
def test_loss_reaches_the_first_layer_and_both_rules_predict(name: str) -> None:
    model = build(*FITTING[name])
    images, samples = batch()
    first = model.loss(images, samples)
    assert first['loss_dr'] == 0  # no centroids yet
    for part in model.modules():
        if isinstance(part, ClassCentroids):
            part.publish()
            assert part.is_seen.all()
    losses = model.loss(images, samples)
    assert losses['loss_dr'] > 0
    losses['loss_dr'].backward()
    assert next(model.backbone.parameters()).grad.abs().sum() > 0
    assert model.head.fc.weight.grad is None  # the loss acts on features alone
    model.eval()
    with torch.no_grad():
        by_classifier = model.predict(images)
        model.head.predict_with = 'ncm'
        by_mean = model.predict(images)
    assert [int(sample.pred_label) for sample in by_mean] == [int(sample.ncm_label) for sample in by_classifier]
    assert all(sample.pred_score.sum() == pytest.approx(1, abs=1e-5) for sample in (*by_classifier, *by_mean))


@pytest.mark.parametrize(
    ('backbone', 'neck', 'width', 'message'),
    [
        (dict(VIT, out_type='raw'), None, 16, r'features \(B, 16\), got \(6, 17, 16\).*or pool them'),
        (dict(VIT, out_type='featmap'), None, 16, r'features \(B, 16\), got \(6, 16, 4, 4\).*or pool them'),
        (RESNET, GAP, 512, r'features \(B, 512\), got \(6, 64\).*in_channels'),
        (
            dict(type='DistilledVisionTransformer', arch=VIT_ARCH, img_size=64, patch_size=16),
            None,
            16,
            'one tensor per layer, got a tuple of 2.*a head of its own',
        ),
    ],
    ids=['all tokens', 'not pooled', 'other width', 'two tokens'],
)
def test_what_does_not_fit_ends_in_a_sentence(
    backbone: dict[str, Any], neck: dict[str, Any] | None, width: int, message: str
) -> None:
    model = build(backbone, neck, dict(in_channels=width))
    with pytest.raises(ConfigError, match=message):
        model.loss(*batch())


@pytest.mark.parametrize('name', ['resnet, two layers', 'convnext', 'swin', 'vit, class token', 'mobilenet 3'])
def test_mmengines_runner_trains_it(name: str, tmp_path: Path) -> None:
    runner = make_runner(tmp_path, name)
    model = runner.train()
    assert model.head.class_counts.tolist() == [4, 2, 2]
    assert model.head.centroids.is_seen.all()
    assert runner.message_hub.get_scalar('train/loss_dr').current() > 0
    assert 0 <= runner.message_hub.get_scalar('val/all').current() <= 100
