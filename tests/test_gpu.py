"""What only a GPU can show: nothing waits for it, TF32 and autocast lower nothing, memory stays small.

Skipped where there is none. The same code runs on ``meta`` tensors in the tests of each part, where every read raises.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from cases import every_distance, every_scope, make_batch
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmdrl.functional import dr_loss
from mmdrl.registry import MODELS

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU')


@contextmanager
def no_waiting() -> Iterator[None]:
    """Whatever makes the CPU wait for the GPU raises."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode('error')
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode('default')


def to_gpu(tensors: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    return [x.float().cuda() if x.is_floating_point() else x.cuda() for x in tensors]


@every_scope
@every_distance
@pytest.mark.parametrize('is_tf32', [False, True])
@pytest.mark.parametrize('autocast', [None, torch.bfloat16, torch.float16])
def test_value_and_gradient_are_those_of_the_cpu(rng, scope, distance, is_tf32, autocast) -> None:
    batch = make_batch(rng, batch=40, num_classes=12, dim=32)
    features, labels, centroids, radius = to_gpu(batch)
    on_cpu = batch[0].float().requires_grad_()
    expected = dr_loss(on_cpu, labels.cpu(), centroids.cpu(), radius.cpu(), scope=scope, distance=distance)
    expected.backward()
    features.requires_grad_()
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('high' if is_tf32 else 'highest')
    try:
        with torch.autocast('cuda', dtype=autocast or torch.float16, enabled=autocast is not None):
            value = dr_loss(features, labels, centroids, radius, scope=scope, distance=distance)
        value.backward()
    finally:
        torch.set_float32_matmul_precision(precision)
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)
    assert_close(features.grad.cpu(), on_cpu.grad, rtol=1e-4, atol=1e-6)


@every_scope
@every_distance
def test_loss_and_gradient_do_not_wait(rng, scope, distance) -> None:
    features, labels, centroids, radius = to_gpu(make_batch(rng, batch=40, num_classes=12, dim=32))
    weight = torch.ones_like(radius)
    features.requires_grad_()
    radius.requires_grad_()
    with no_waiting():
        dr_loss(features, labels, centroids, radius, scope=scope, distance=distance, class_weight=weight).backward()


@pytest.mark.parametrize('mode', ['running', 'epoch', 'ema'])
@pytest.mark.parametrize('policy', ['SharedRadius', 'CountRadius', 'MeasuredRadius', 'LearnedRadius'])
def test_step_of_the_head_does_not_wait(rng, mode: str, policy: str) -> None:
    head = MODELS.build(
        dict(
            type='mmdrl.DRHead',
            num_classes=12,
            in_channels=32,
            cal_acc=False,
            centroids=dict(mode=mode),
            dr_layers=(-2, -1),
            dr_channels=(32, 32),
            dr_projection=(16, 8),
            dr_loss=dict(type='mmdrl.DRLoss', class_weight='effective', radius=dict(type=f'mmdrl.{policy}')),
        )
    ).cuda()
    head.set_class_counts(torch.arange(1, 13).cuda())
    features, labels, *_ = to_gpu(make_batch(rng, batch=40, num_classes=12, dim=32))
    features.requires_grad_()
    samples = [DataSample().set_gt_label(label) for label in labels]
    with no_waiting():
        losses = head.loss((features, features), samples)
        (losses['loss_cls'] + losses['loss_dr']).backward()
    head.check_divergence()


def test_memory_is_a_few_batches_and_no_cube(rng) -> None:
    features, labels, centroids, radius = to_gpu(make_batch(rng, batch=256, num_classes=1000, dim=2048))
    features.requires_grad_()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    dr_loss(features, labels, centroids, radius).backward()
    held = torch.cuda.max_memory_allocated() - before
    assert held < 20 * features.numel() * 8  # (B, B, D) would be 256 times the features


@pytest.mark.parametrize('kind', ['CosineClassifier', 'LWSClassifier', 'TauNormClassifier'])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_step_of_a_classifier_does_not_wait_and_is_that_of_the_cpu(kind: str, dtype: torch.dtype) -> None:
    classifier = MODELS.build(dict(type=f'mmdrl.{kind}', in_features=32, out_features=12))
    classifier.eval()  # while training, the tau-normalised one is the plain one
    features = torch.randn(40, 32).to(dtype)
    with torch.autocast('cpu', dtype=torch.bfloat16, enabled=dtype != torch.float32):
        expected = classifier(features).float()
    classifier.cuda()
    on_gpu = features.cuda()
    with no_waiting(), torch.autocast('cuda', dtype=torch.bfloat16, enabled=dtype != torch.float32):
        scores = classifier(on_gpu)
        scores.sum().backward()
    tolerance = 1e-4 if dtype == torch.float32 or kind == 'CosineClassifier' else 2e-2
    assert_close(scores.float().cpu(), expected, rtol=tolerance, atol=tolerance)


def test_remix_does_not_wait() -> None:
    preprocessor = MODELS.build(dict(type='mmdrl.RemixDataPreprocessor', num_classes=12)).cuda()
    preprocessor.set_class_counts(torch.arange(1, 13))
    images, scores = torch.randn(40, 3, 8, 8).cuda(), torch.eye(12).repeat(4, 1)[:40].cuda()
    with no_waiting():
        mixed, labels = preprocessor.remix(images, scores)
    assert mixed.shape == images.shape
    assert_close(labels.sum(dim=1), torch.ones(40).cuda())
