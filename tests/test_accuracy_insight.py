"""What is measured in a trained network: pull, balls and gradients, by hand and on a short run of the digits."""

import argparse
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from command import benchmark
from digits_run import short_config, train
from mmengine.config import Config
from torch import Tensor, nn

from mmdrl.batch_samples import BatchSamples
from mmdrl.evaluation.representation import centroid_errors, class_moments, nearest_other

gradient_shares = benchmark('evidence.gradient_shares')
balls_and_pull = benchmark('evidence.balls_and_pull')
losses_at_work = benchmark('evidence.losses_at_work')
insight = benchmark('evidence.insight')

LAMBDA = 0.25
GROUPS = dict(many=np.array([True, False, False]), few=np.array([False, True, True]))


class Pulled(nn.Module):
    """Features ``W x``; ``loss_cls`` is half their squared length, ``loss_dr`` their distance from (0, 1), means."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Linear(2, 2, bias=False).double()
        self.head = SimpleNamespace(loss=self.losses)

    def data_preprocessor(self, batch: Any, training: bool) -> Any:
        assert training
        return batch

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor, ...]:
        return (self.backbone(inputs),)

    def losses(self, feats: tuple[Tensor, ...], samples: BatchSamples) -> dict[str, Tensor]:
        lengths = torch.linalg.vector_norm(feats[-1] - torch.tensor([0.0, 1.0]).double(), dim=1)
        return dict(loss_cls=feats[-1].square().sum(dim=1).mean() / 2, loss_dr=LAMBDA * lengths.mean())


@pytest.fixture
def pulled() -> Pulled:
    model = Pulled()
    nn.init.eye_(model.backbone.weight)
    return model


def batch_of(rows: list[list[float]], labels: list[int]) -> dict[str, Any]:
    return dict(inputs=torch.tensor(rows).double(), data_samples=BatchSamples(torch.tensor(labels)))


def test_gradients_are_those_of_the_textbook(pulled: Pulled) -> None:
    rows = [[3.0, 1.0], [0.0, 5.0], [2.0, 1.0], [0.0, -2.0]]
    pulls = gradient_shares.batch_pulls(pulled, batch_of(rows, [0, 0, 1, 2]))
    # d/dz of z^2/2 is z, of |z - m| the direction from m; both means of the batch, times B.
    z = np.array(rows)
    away = (z - [0, 1]) / np.linalg.norm(z - [0, 1], axis=1, keepdims=True)
    lengths = np.linalg.norm(z, axis=1)
    np.testing.assert_allclose(pulls.norms, [lengths, np.full(4, LAMBDA)])
    np.testing.assert_allclose(pulls.cosines, (z * away).sum(axis=1) / lengths)
    # Of W in z = W x, with W the identity: the mean of the outer products of gradient and x.
    at_weight = [z.T @ z / 4, LAMBDA * away.T @ z / 4]
    norms = [np.linalg.norm(each) for each in at_weight]
    cosine = (at_weight[0] * at_weight[1]).sum() / norms[0] / norms[1]
    np.testing.assert_allclose(pulls.backbone, [*norms, cosine])
    assert pulled.backbone.weight.grad is None


def test_frozen_backbone_has_no_gradient_but_features_have(pulled: Pulled) -> None:
    pulled.backbone.requires_grad_(False)
    pulls = gradient_shares.batch_pulls(pulled, batch_of([[3.0, 4.0]], [0]))
    assert pulls.norms[:, 0].tolist() == pytest.approx([5.0, LAMBDA])
    assert pulls.backbone.isnan().all()


def test_shares_are_means_by_group_over_all_batches(pulled: Pulled) -> None:
    batches = [batch_of([[3.0, 1.0], [0.0, 5.0]], [0, 0]), batch_of([[0.0, 2.0], [0.0, -2.0]], [1, 2])]
    found = gradient_shares.gradient_shares([gradient_shares.batch_pulls(pulled, b) for b in batches], GROUPS)
    many, few, both = (found['features'][name] for name in ('many', 'few', 'all'))
    assert (many['images'], few['images'], both['images']) == (2, 2, 4)
    assert few['cls'] == pytest.approx(2)
    assert few['dr'] == pytest.approx(LAMBDA)
    assert few['ratio'] == pytest.approx(LAMBDA / 2)
    assert few['cosine'] == pytest.approx(1)  # both lie on the line through 0 and m, m not between
    assert many['cls'] == pytest.approx((math.sqrt(10) + 5) / 2)
    assert both['cls'] == pytest.approx((many['cls'] + few['cls']) / 2)
    nobody = gradient_shares.gradient_shares([gradient_shares.batch_pulls(pulled, batches[0])], GROUPS)
    assert nobody['features']['few']['images'] == 0
    assert math.isnan(nobody['features']['few']['ratio'])
    with pytest.raises(ValueError, match='one batch at least'):
        gradient_shares.gradient_shares([], GROUPS)


def test_pull_is_the_distance_of_images_to_the_training_centroid() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [30, 8, 4])
    sets = [generator.normal(size=(len(labels), 5)) + 3 * np.eye(3, 5)[labels] for _ in range(2)]
    train, test = (class_moments(torch.tensor(each), torch.tensor(labels), 3) for each in sets)
    per_class = dict(
        train_images=[30, 8, 4],
        spread_train=train.spreads.tolist(),
        spread_test=test.spreads.tolist(),
        nearest_centroid=nearest_other(train.means).tolist(),
        **{name: values.tolist() for name, values in centroid_errors(train, test).items()},
    )
    found = balls_and_pull.pull(per_class, GROUPS)
    centres = np.stack([sets[0][labels == c].mean(axis=0) for c in range(3)])
    for name, features in zip(('train', 'held_out'), sets, strict=True):
        by_class = []
        for c in range(3):
            own = np.sqrt(((features[labels == c] - centres[c]) ** 2).sum(axis=1).mean())
            by_class.append(own / min(np.linalg.norm(centres[c] - centres[d]) for d in range(3) if d != c))
        assert found[name]['many'] == pytest.approx(by_class[0])
        assert found[name]['few'] == pytest.approx(np.mean(by_class[1:]))
        assert found[name]['all'] == pytest.approx(np.mean(by_class))


def test_balls_are_compared_with_what_they_should_hold() -> None:
    per_class = dict(
        train_images=[100, 4, 1],
        radius=[0.1, 0.5, 1.0],
        centroid_error=[0.2, 0.5, None],
        spread_test=[1.0, 2.0, 0.0],
        expected_error=[0.1, 1.0, None],
    )
    found = balls_and_pull.balls(per_class, GROUPS)
    assert found['in_ball'] | dict(rank_correlation=0) == dict(many=0, few=100, all=50, rank_correlation=0)
    assert found['to_spread']['few'] == pytest.approx(0.25)  # a class without spread is left out
    assert found['to_expected']['all'] == pytest.approx((1 + 0.5) / 2)
    assert found['radius']['rank_correlation'] == pytest.approx(-1)


def test_numbers_are_cut_to_four_digits() -> None:
    value = dict(a=np.array([123456.0, 0.000123456]), b=(math.nan, math.inf), c=[7, 'text', None, True])
    assert insight.short(value) == dict(a=[123500.0, 0.0001235], b=[None, None], c=[7, 'text', None, True])


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two, two and one epoch of the digits, with the DR loss in the second stage."""
    folder = tmp_path_factory.mktemp('insight') / 'drl'
    train(short_config(folder))
    return folder


def test_run_of_the_digits_is_looked_into(run: Path) -> None:
    found = insight.insight(run)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found['images'] == dict(train=331, held_out=500)
    results = json.loads((run / 'results.json').read_text())
    assert found['per_class']['train_images'] == results['class_counts']
    assert found['accuracy']['model']['all'] == pytest.approx(results['metrics']['all'], abs=0.01)
    radii = [1 / math.sqrt(n) for n in results['class_counts']]
    assert found['per_class']['radius'] == pytest.approx(radii, rel=1e-3)
    assert found['balls']['radius']['all'] == pytest.approx(np.mean(radii), rel=1e-3)
    gradients = found['gradients']
    assert (gradients['stage'], gradients['loss_weights']) == ('feature', [0.2])
    # 128 images an epoch, class by class: those of ten classes nearly alike, however few there are of a class.
    images = {name: part['images'] for name, part in gradients['features'].items()}
    assert images['all'] == 128 == images['many'] + images['medium'] + images['few']
    assert images['few'] == pytest.approx(64, abs=4)
    assert gradients['features']['all']['dr'] > 0


def test_gradient_of_the_dr_loss_follows_its_weight(run: Path) -> None:
    config = Config.fromfile(run / f'{json.loads((run / "results.json").read_text())["config"]}.py')

    def shares(weight: float) -> dict[str, Any]:
        config.model.head.dr_loss.loss_weight = weight
        at_work = losses_at_work.losses_at_work(config, run / 'epoch_5.pth', 2)
        pulls = [gradient_shares.batch_pulls(at_work.model, batch) for batch in at_work.batches]
        return gradient_shares.gradient_shares(pulls, {})['features']['all']

    once, thrice = shares(0.2), shares(0.6)
    assert thrice['cls'] == pytest.approx(once['cls'], rel=1e-4)  # the very same images
    assert thrice['dr'] == pytest.approx(3 * once['dr'], rel=1e-4)
    assert thrice['cosine'] == pytest.approx(once['cosine'], abs=1e-4)
    config.model.head.dr_loss.loss_weight = 0.0
    assert losses_at_work.losses_at_work(config, run / 'epoch_5.pth', 2) is None


def test_folder_without_a_run_ends_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r'error: .*results\.json'):
        insight.main(argparse.Namespace(run_dir=tmp_path, device='auto', out=None))
