"""What only a GPU can show: nothing waits for it, TF32 and autocast lower nothing, memory stays small.

Skipped where there is none. The same code runs on ``meta`` tensors in the tests of each part, where every read raises.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from cases import every_distance, every_scope, make_batch
from mmengine.logging import MessageHub
from mmengine.model import BaseDataPreprocessor
from mmengine.optim import OptimWrapper
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmdrl.batch_samples import BatchSamples
from mmdrl.engine.guarded_step import GuardedStep
from mmdrl.engine.hooks import RuntimeInfoHook
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


def test_whole_batches_are_augmented_without_waiting_and_as_on_the_cpu() -> None:
    steps = [dict(type='mmdrl.BatchCrop', size=32, padding=4), dict(type='mmdrl.BatchFlip', prob=0.5)]
    steps += [dict(type='mmdrl.BatchAutoAugment'), dict(type='mmdrl.BatchCutout', length=16)]
    settings = dict(augments=steps, mean=[129.3, 124.1, 112.4], std=[68.2, 65.4, 70.4], to_rgb=True, num_classes=12)
    build = partial(MODELS.build, dict(type='mmdrl.BatchDataPreprocessor', to_onehot=True, **settings))
    pixels = torch.randint(0, 256, (40, 32, 32, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    samples = BatchSamples(torch.arange(40) % 12, seeds=torch.arange(40))
    expected = build()(dict(inputs=pixels, data_samples=samples), True)
    on_gpu, batch = build().cuda(), dict(inputs=pixels.pin_memory(), data_samples=samples.pin_memory())
    on_gpu(batch, True)  # tables go to the device once
    with no_waiting():
        found = on_gpu(batch, True)
    assert_close(found['inputs'].cpu(), expected['inputs'], rtol=0, atol=1e-6)
    assert torch.equal(found['data_samples'].scores.cpu(), expected['data_samples'].scores)


def test_guarded_step_and_its_log_do_not_wait() -> None:
    """What a run does at every iteration: model, notes of NonFiniteHook, clipping, log."""
    head = dict(type='mmdrl.DRHead', num_classes=12, in_channels=64, dr_loss=dict(type='mmdrl.DRLoss'))
    parts = dict(backbone=dict(type='mmdrl.ResNet8'), neck=dict(type='GlobalAveragePooling'), head=head)
    model = ImageClassifier(**parts, data_preprocessor=BaseDataPreprocessor()).cuda().train()
    model.head.set_class_counts(torch.arange(1, 13).cuda())
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), clip_grad=dict(max_norm=1.0))
    guard, hook, hub = GuardedStep(model, False, None, pytest.fail), RuntimeInfoHook(), MessageHub.get_instance('gpu')
    runner = SimpleNamespace(message_hub=hub)
    images, samples = torch.randn(16, 3, 32, 32).cuda(), BatchSamples(torch.arange(12).repeat(2)[:16].cuda())
    for iteration in range(3):
        with no_waiting() if iteration else nullcontext():  # the first chooses algorithms
            losses = guard(dict(inputs=images, data_samples=samples), wrapper)
            guard.end_iteration(iteration, wrapper, is_due=False)
            hook.after_train_iter(runner, iteration, outputs=losses)
    guard.read_notes()
    assert len(hub.get_scalar('train/loss_dr').data[0]) == 3
