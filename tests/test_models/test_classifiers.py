"""Classifiers: what they compute, what they share with a plain linear layer, how they start."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity
from torch.testing import assert_close

from mmdrl.engine.model_parts import check_can_be_initialised, initialise_anew
from mmdrl.errors import ConfigError
from mmdrl.models import CosineClassifier, DRHead, LWSClassifier, TauNormClassifier
from mmdrl.registry import MODELS

KINDS = [CosineClassifier, LWSClassifier, TauNormClassifier]
every_kind = pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.__name__)


@pytest.fixture
def features(generator: torch.Generator) -> torch.Tensor:
    return torch.randn(6, 4, generator=generator)


def plain(generator: torch.Generator) -> nn.Linear:
    layer = nn.Linear(4, 3)
    with torch.no_grad():
        layer.weight.normal_(generator=generator)
        layer.bias.normal_(generator=generator)
    return layer


def loaded(kind: type[nn.Linear], layer: nn.Linear, **settings: Any) -> nn.Linear:
    classifier = kind(4, 3, **settings)
    missing = classifier.load_state_dict(layer.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert missing.missing_keys == (['scale'] if kind is LWSClassifier else [])
    return classifier


def test_factors_of_one_are_the_plain_classifier(features: torch.Tensor, generator: torch.Generator) -> None:
    layer = plain(generator)
    assert torch.equal(loaded(LWSClassifier, layer)(features), layer(features))


def test_tau_of_zero_is_the_plain_classifier(features: torch.Tensor, generator: torch.Generator) -> None:
    layer = plain(generator)
    assert torch.equal(loaded(TauNormClassifier, layer, tau=0.0).eval()(features), layer(features))


def test_tau_changes_predictions_and_not_training(features: torch.Tensor, generator: torch.Generator) -> None:
    layer = plain(generator)
    classifier = loaded(TauNormClassifier, layer, tau=1.0)
    assert torch.equal(classifier.train()(features), layer(features))
    classifier(features).square().sum().backward()
    layer(features).square().sum().backward()
    assert torch.equal(classifier.weight.grad, layer.weight.grad)
    assert torch.equal(classifier.bias.grad, layer.bias.grad)
    assert not torch.allclose(classifier.eval()(features), layer(features))
    assert torch.equal(classifier.train()(features), layer(features))


def test_factors_multiply_score_and_bias(features: torch.Tensor, generator: torch.Generator) -> None:
    """As in the released code: the whole output of the linear layer."""
    layer = plain(generator)
    classifier = loaded(LWSClassifier, layer)
    factors = torch.tensor([0.5, 2.0, -1.0])
    with torch.no_grad():
        classifier.scale.copy_(factors)
    assert_close(classifier(features), torch.stack([factors[c] * layer(features)[:, c] for c in range(3)], dim=1))


def test_factors_alone_learn_when_the_rest_is_frozen(features: torch.Tensor) -> None:
    classifier = LWSClassifier(4, 3)
    classifier.weight.requires_grad_(False)
    classifier.bias.requires_grad_(False)
    classifier(features).sum().backward()
    assert_close(classifier.scale.grad, classifier(features).detach().sum(dim=0))
    assert classifier.weight.grad is None


@pytest.mark.parametrize('tau', [0.5, 1.0, 1.7])
def test_rows_are_divided_by_a_power_of_their_length(
    features: torch.Tensor, generator: torch.Generator, tau: float
) -> None:
    layer = plain(generator)
    lengths = layer.weight.detach().square().sum(dim=1).sqrt() ** tau
    assert_close(loaded(TauNormClassifier, layer, tau=tau).eval()(features), layer(features) / lengths)
    without = loaded(TauNormClassifier, layer, tau=tau, keep_bias=False)
    assert_close(without.eval()(features), (layer(features) - layer.bias) / lengths)
    assert torch.equal(without.train()(features), layer(features))
    alone = TauNormClassifier(4, 3, tau=tau, bias=False).eval()
    alone.load_state_dict(dict(weight=layer.weight))
    assert_close(alone(features), (features @ layer.weight.T) / lengths)


def test_cosine_is_that_of_torch_and_ignores_lengths(features: torch.Tensor, generator: torch.Generator) -> None:
    layer = plain(generator)
    classifier = loaded(CosineClassifier, layer, scale=7.0)
    expected = 7 * cosine_similarity(features[:, None], layer.weight[None], dim=-1) + layer.bias
    assert_close(classifier(features), expected)
    with torch.no_grad():
        classifier.weight.mul_(torch.tensor([[0.001], [5.0], [300.0]]))
    assert_close(classifier(40 * features), expected)


def test_features_of_zeros_score_zero_with_a_finite_gradient() -> None:
    classifier = CosineClassifier(4, 3)
    features = torch.zeros(2, 4, requires_grad=True)
    scores = classifier(features)
    scores.square().sum().backward()
    (classifier(features) * torch.arange(3)).sum().backward()
    assert (scores == 0).all()
    assert features.grad.abs().max() < 1e3


def test_cosine_keeps_float32_under_autocast_and_in_a_half_model(features: torch.Tensor) -> None:
    classifier = CosineClassifier(4, 3, scale=30.0)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        mixed = classifier(features.bfloat16())
    assert_close(mixed, classifier(features.bfloat16().float()))
    half = CosineClassifier(4, 3, scale=30.0)
    half.load_state_dict(classifier.state_dict())
    half.half()
    assert_close(half(features.half()), classifier.half().float()(features.half().float()))


def test_scale_is_learned_only_on_request(features: torch.Tensor) -> None:
    assert 'scale' not in dict(CosineClassifier(4, 3).named_parameters())
    assert set(CosineClassifier(4, 3).state_dict()) == set(nn.Linear(4, 3).state_dict())
    classifier = CosineClassifier(4, 3, scale=5.0, learn_scale=True)
    scores = classifier(features)
    scores[0, 0].backward()
    assert_close(classifier.scale.grad, scores[0, 0].detach() / 5)


def test_bias_of_the_cosine_is_kept_but_not_learned(features: torch.Tensor) -> None:
    classifier = CosineClassifier(4, 3)
    assert [name for name, _ in classifier.named_parameters()] == ['weight']
    before = classifier(features)
    classifier.load_state_dict(dict(weight=classifier.weight.detach(), bias=torch.tensor([1.0, 0.0, -2.0])))
    assert_close(classifier(features), before + torch.tensor([1.0, 0.0, -2.0]))


@every_kind
def test_it_starts_as_the_head_says(kind: type[nn.Linear]) -> None:
    init = dict(type='Constant', layer='Linear', val=0.25, bias=0.5)
    head = MODELS.build(
        dict(type='mmdrl.DRHead', num_classes=3, in_channels=4, classifier=dict(type=kind), init_cfg=init)
    )
    head.init_weights()
    # Rows of the cosine have length 1: (0.5, 0.5, 0.5, 0.5) has the same direction.
    assert (head.fc.weight == (0.5 if kind is CosineClassifier else 0.25)).all()
    assert (head.fc.bias == 0.5).all()


def test_rows_of_the_cosine_start_with_length_one_in_random_directions() -> None:
    head = MODELS.build(
        dict(type='mmdrl.DRHead', num_classes=50, in_channels=8, classifier=dict(type=CosineClassifier))
    )
    head.init_weights()
    assert_close(head.fc.weight.norm(dim=1), torch.ones(50))
    assert len(head.fc.weight.unique(dim=0)) == 50
    assert (head.fc.bias == 0).all()


@every_kind
@pytest.mark.parametrize('settings', [{}, dict(learn_scale=True)], ids=['', 'learned'])
def test_it_can_be_initialised_anew(kind: type[nn.Linear], settings: dict) -> None:
    classifier = kind(4, 3, **(settings if kind is CosineClassifier else {}))
    start = {name: value.clone() for name, value in classifier.state_dict().items()}
    with torch.no_grad():
        for tensor in [*classifier.parameters(), *classifier.buffers()]:
            tensor.fill_(100.0)
    check_can_be_initialised(classifier, 'head.fc')
    initialise_anew(classifier, classifier)
    assert (classifier.weight.abs() <= 1).all()
    assert len(classifier.weight.unique()) == 12
    if kind is CosineClassifier:
        assert (classifier.bias == 0).all()
    for name in set(start) - {'weight', 'bias'}:
        assert torch.equal(classifier.state_dict()[name], start[name])


@every_kind
@pytest.mark.parametrize('is_training', [True, False], ids=['training', 'eval'])
def test_it_compiles_as_one_graph(kind: type[nn.Linear], is_training: bool, features: torch.Tensor) -> None:
    classifier = kind(4, 3).train(is_training)
    compiled = torch.compile(classifier, backend='eager', fullgraph=True)
    assert torch.equal(compiled(features), classifier(features))


@every_kind
@pytest.mark.parametrize('is_training', [True, False], ids=['training', 'eval'])
def test_step_reads_nothing_from_the_device(kind: type[nn.Linear], is_training: bool) -> None:
    classifier = kind(4, 3).to('meta').train(is_training)
    classifier(torch.randn(2, 4, device='meta')).sum().backward()
    assert all(parameter.grad is not None for parameter in classifier.parameters())


@pytest.mark.parametrize(
    ('classifier', 'message'),
    [
        (dict(type='mmdrl.CosineClassifier', scale=0), 'scale.*0'),
        (dict(type='mmdrl.CosineClassifier', scale='16'), "scale.*'16'"),
        (dict(type='mmdrl.TauNormClassifier', tau=-1), 'tau.*-1'),
        (dict(type='mmdrl.TauNormClassifier', tau=float('nan')), 'tau.*nan'),
        (dict(type='mmdrl.CosinClassifier'), "mmdrl.CosineClassifier.*'mmdrl.CosinClassifier'"),
        (dict(type=dict), 'registered module'),
        (dict(scale=2), 'with a type'),
        (dict(type='mmdrl.LWSClassifier', scale=2), 'LWSClassifier.*scale'),
        (dict(type='mmdrl.LWSClassifier', out_features=5), 'out_features=5.*num_classes of the head is 3'),
        (dict(type='mmdrl.LWSClassifier', in_features=5), 'in_features=5.*in_channels of the head is 4'),
    ],
)
def test_bad_classifiers_are_refused_when_the_head_is_built(classifier: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DRHead(num_classes=3, in_channels=4, classifier=classifier)
