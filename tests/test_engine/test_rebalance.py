"""Rules after training: what they predict, what they come to, and that a saved one is what testing measures."""

import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from command import ROOT
from digits_run import short_config, train
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from reference import class_centroids_loop, nearest_centroid_loop
from sklearn.metrics import recall_score
from torch import nn
from torch.nn.functional import linear

import mmdrl.engine.rebalance.sweep as sweep
from mmdrl.engine.checkpoints import write_checkpoint
from mmdrl.engine.config import load_config
from mmdrl.engine.features import extract_features
from mmdrl.engine.rebalance import Rule, best_per_rule, rebalance
from mmdrl.engine.rebalance.classifier import last_layer
from mmdrl.engine.rebalance.rules import changed_entries, why_not
from mmdrl.engine.rebalance.save import new_checkpoint
from mmdrl.engine.run import evaluate, train_model
from mmdrl.errors import ConfigError, DataError, MMDRLError
from mmdrl.evaluation import ShotAccuracy
from mmdrl.models import CosineClassifier, LWSClassifier
from mmdrl.registry import MODELS

COUNTS = [120, 77, 50, 32, 21, 13, 8, 5, 3, 2]
RULES = [
    *(Rule('tau-norm', tau) for tau in (0.0, 0.5, 1.5)),
    *(Rule('logit-adjustment', tau) for tau in (0.0, 0.3, 1.0)),
    Rule('ncm-euclidean'),
    Rule('ncm-cosine'),
]
HEADS = {
    'linear': {},
    'lws': dict(classifier=dict(type='mmdrl.LWSClassifier')),
    'cosine': dict(classifier=dict(type='mmdrl.CosineClassifier')),
    'mmpretrain': dict(_delete_=True, type='LinearClsHead', num_classes=10, in_channels=64),
    'transformer': dict(_delete_=True, type='VisionTransformerClsHead', num_classes=10, in_channels=64, hidden_dim=16),
}


def digits(folder: Path, head: dict | None = None, **changes) -> Config:
    """The digits job, quiet, with changes of its head and others."""
    cfg = load_config(str(ROOT / 'configs/digits_lt/ce_r8_digits-lt-ir50.py'), work_dir=str(folder / 'work'))
    cfg.merge_from_dict(dict(model=dict(head=deepcopy(head or {}))))
    cfg.merge_from_dict(dict(log_level='ERROR', **changes))
    return cfg


def saved_model(cfg: Config, folder: Path, **changes) -> tuple[Path, nn.Module]:
    """A checkpoint of an untrained model whose last layer favours some classes by far, and the model."""
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    layer = last_layer(model).module
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape) * torch.linspace(-1, 1, 10).exp()[:, None])
        for name in ('bias', 'scale'):
            if isinstance(getattr(layer, name, None), torch.Tensor):
                getattr(layer, name).copy_(torch.rand(10) + 0.5)
    if hasattr(model.head, 'class_counts'):
        model.head.set_class_counts(COUNTS)
    content = dict(
        state_dict=model.state_dict(),
        meta=dict(epoch=3, iter=30, dataset_meta=dict(classes=tuple('0123456789'))),
        class_counts=COUNTS,
        optimizer=dict(state={}),
        param_schedulers=[],
    )
    torch.save(content | changes, folder / 'source.pth')
    return folder / 'source.pth', model.eval()


def features_of(model: nn.Module, loader: dict) -> tuple[torch.Tensor, torch.Tensor]:
    return extract_features(model, Runner.build_dataloader(loader))


def layers():
    torch.manual_seed(1)
    plain, lws, cosine = nn.Linear(4, 6).double(), LWSClassifier(4, 6).double(), CosineClassifier(4, 6).double()
    lws.scale.data = torch.rand(6).double() + 0.5
    cosine.bias.copy_(torch.rand(6))
    return {'linear': plain, 'lws': lws, 'cosine': cosine, 'no bias': nn.Linear(4, 6, bias=False).double()}


@pytest.mark.parametrize(
    ('kind', 'rule'),
    [(kind, rule) for kind in layers() for rule in [Rule('plain'), *RULES] if not why_not(rule, layers()[kind])],
    ids=str,
)
def test_layer_with_the_changed_entries_predicts_by_the_rule(rng, kind, rule):
    layer = layers()[kind]
    features, centroids = torch.from_numpy(rng.normal(size=(300, 4))), torch.from_numpy(rng.normal(size=(6, 4)))
    counts = torch.tensor([50, 20, 9, 5, 2, 1])
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    logits = layer(features).detach()
    entries = changed_entries(rule, layer, counts, centroids)
    assert all(value.shape == before[name].shape for name, value in entries.items())
    assert all(torch.equal(before[name], value) for name, value in layer.state_dict().items())
    predicted = sweep.predicted_labels(layer, entries, features)
    if rule.name.startswith('ncm'):
        expected = nearest_centroid_loop(features, centroids, rule.name.removeprefix('ncm-'))
    else:
        scores = logits.numpy()
        if rule.name == 'tau-norm':
            scale = layer.scale.detach().numpy()[:, None] if kind == 'lws' else 1
            scores = scores / np.linalg.norm(scale * layer.weight.detach().numpy(), axis=1) ** rule.strength
        elif rule.name == 'logit-adjustment':
            scores = scores - rule.strength * np.log(counts.numpy() / counts.sum().item())
        expected = scores.argmax(axis=1)
    np.testing.assert_array_equal(predicted.numpy(), expected)


@pytest.mark.parametrize(
    ('kind', 'left_out'),
    [
        ('linear', set()),
        ('lws', set()),
        ('cosine', {'tau-norm', 'ncm-euclidean'}),
        ('no bias', {'logit-adjustment', 'ncm-euclidean'}),
    ],
)
def test_rules_that_a_layer_cannot_be_given(kind, left_out):
    assert {rule.name for rule in RULES if why_not(rule, layers()[kind])} == left_out


def test_predictions_do_not_depend_on_how_many_are_made_at_a_time(rng, monkeypatch):
    layer = nn.Linear(8, 5)
    features = torch.from_numpy(rng.normal(size=(103, 8))).float()
    expected = sweep.predicted_labels(layer, {}, features)
    for scores in (1, 5 * 10, 5 * 103):
        monkeypatch.setattr(sweep, '_SCORES', scores)
        assert torch.equal(sweep.predicted_labels(layer, {}, features), expected)
    assert torch.equal(expected, linear(features, layer.weight, layer.bias).argmax(dim=1))


def test_accuracies_are_those_of_scikit_learn(rng):
    labels, predicted = rng.integers(0, 6, 200), rng.integers(0, 6, 200)
    counts = np.array([500, 101, 100, 20, 19, 1])
    found = sweep.accuracies(
        torch.from_numpy(predicted), torch.from_numpy(labels), counts, dict(many=100, few=20, edges='exclusive')
    )
    recall = 100 * recall_score(labels, predicted, average=None)
    expected = dict(many=recall[:2].mean(), medium=recall[2:4].mean(), few=recall[4:].mean())
    expected |= {'mean': np.mean(list(expected.values())), 'all': 100 * np.mean(labels == predicted)}
    assert found == pytest.approx(expected)


def test_group_without_images_is_nan_and_not_in_the_mean():
    labels = torch.tensor([0, 0, 1])
    found = sweep.accuracies(torch.tensor([0, 1, 1]), labels, np.array([200, 50, 3]), dict(many=100, few=20))
    assert (found['many'], found['medium'], found['mean']) == (50, 100, 75)
    assert np.isnan(found['few'])


def test_best_is_the_largest_the_first_of_equals_and_never_nan():
    results = {name: dict(few=value) for name, value in zip('abcd', (float('nan'), 2.0, 3.0, 3.0), strict=True)}
    assert sweep.best_of(results, 'few') == 'c'
    with pytest.raises(ConfigError, match="group 'few'"):
        sweep.best_of({'a': dict(few=float('nan'))}, 'few')


@pytest.mark.parametrize(
    ('name', 'strength'),
    [('tau-norm', None), ('tau-norm', -1.0), ('logit-adjustment', float('nan')), ('plain', 1.0), ('ncm-cosine', 0.0)],
)
def test_strength_that_does_not_fit_a_rule_is_refused(name, strength):
    with pytest.raises(ConfigError, match=f'strength of {name}'):
        Rule(name, strength)


@pytest.mark.slow
@pytest.mark.host
@pytest.mark.parametrize('head', HEADS)
def test_table_is_what_testing_the_saved_rule_measures(tmp_path, head):
    cfg = digits(tmp_path, HEADS[head])
    source, model = saved_model(cfg, tmp_path)
    outcome = rebalance(cfg, str(source), RULES)
    name, layer = last_layer(model)
    assert outcome.held_out == dict(images=500, shows_test_images=True)
    assert outcome.centroids == 'training set'
    assert outcome.shot_groups == dict(many=60, few=20, edges='exclusive')
    assert set(outcome.left_out) == ({'tau-norm', 'ncm-euclidean'} if head == 'cosine' else set())
    pipeline = cfg.val_dataloader.dataset.pipeline
    clean = cfg.train_dataloader.to_dict() | dict(sampler=dict(type='DefaultSampler', shuffle=False))
    clean['dataset']['dataset']['pipeline'] = pipeline
    features, labels = features_of(model, clean)
    centroids = torch.from_numpy(class_centroids_loop(features, labels, 10)[0]).float()
    content = torch.load(source, weights_only=True)
    for rule, expected in outcome.results.items():
        changes = changed_entries(rule, layer, torch.tensor(COUNTS), centroids)
        changes = {f'{name}.{key}': value for key, value in changes.items()}
        write_checkpoint(new_checkpoint(content, changes, torch.tensor(COUNTS), {}), tmp_path / 'new.pth')
        metrics = evaluate(digits(tmp_path, HEADS[head], experiment_name=str(rule)), str(tmp_path / 'new.pth'))
        for group in ('many', 'medium', 'few', 'all'):
            assert metrics[group] == pytest.approx(expected[group], abs=1e-9), (rule, group)
    unlike = {tuple(values.values()) for values in outcome.results.values()}
    assert len(unlike) >= 3


def test_chosen_rule_is_saved_with_how_it_came_about(tmp_path):
    cfg = digits(tmp_path)
    source, model = saved_model(cfg, tmp_path)
    before = cfg.to_dict()
    outcome = rebalance(cfg, str(source), RULES, 'few', tmp_path / 'new.pth')
    assert cfg.to_dict() == before
    assert not Path(cfg.work_dir).exists()
    assert list(outcome.results) == [Rule('plain'), *RULES]
    best = max(values['few'] for values in outcome.results.values())
    assert outcome.results[outcome.best]['few'] == best > outcome.results[Rule('plain')]['few']
    for same in (Rule('tau-norm', 0.0), Rule('logit-adjustment', 0.0)):
        assert outcome.results[same] == outcome.results[Rule('plain')]
    new, old = (torch.load(tmp_path / f'{name}.pth', weights_only=True) for name in ('new', 'source'))
    assert set(new) == {'meta', 'state_dict', 'class_counts'}
    assert new['class_counts'] == COUNTS
    assert new['meta'] == dict(
        dataset_meta=old['meta']['dataset_meta'],
        rebalance=dict(
            rule=outcome.best.name,
            strength=outcome.best.strength,
            chosen_by='few',
            accuracy=best,
            held_out=dict(images=500, shows_test_images=True),
            source='source.pth',
        ),
    )
    changed = {key for key, value in old['state_dict'].items() if not torch.equal(value, new['state_dict'][key])}
    assert changed
    assert changed <= {'head.fc.weight', 'head.fc.bias'}
    assert set(new['state_dict']) == set(old['state_dict'])
    model.load_state_dict(new['state_dict'])
    features, labels = features_of(model, cfg.val_dataloader)
    assert (model.head.fc(features).argmax(dim=1) == labels).double().mean() * 100 == pytest.approx(
        outcome.results[outcome.best]['all']
    )


def test_centroids_of_every_class_in_the_checkpoint_are_used(tmp_path):
    cfg = digits(tmp_path)
    _, model = saved_model(cfg, tmp_path)
    features, labels = features_of(model, cfg.val_dataloader)
    model.head.centroids.centroids.copy_(features[:10])
    state = model.state_dict() | {'head.centroids.is_seen': torch.arange(10) != 4}
    for is_whole in (False, True):
        state['head.centroids.is_seen'][4] = is_whole
        torch.save(dict(state_dict=state), tmp_path / 'c.pth')
        outcome = rebalance(cfg, str(tmp_path / 'c.pth'), [Rule('ncm-euclidean')])
        assert outcome.centroids == ('checkpoint' if is_whole else 'training set')
    predicted = nearest_centroid_loop(features, features[:10])
    assert outcome.results[Rule('ncm-euclidean')]['all'] == pytest.approx(100 * (predicted == labels.numpy()).mean())


def test_class_counts_are_the_heads_then_the_checkpoints_then_those_of_the_training_set(tmp_path):
    cfg = digits(tmp_path, HEADS['mmpretrain'])
    rule = Rule('logit-adjustment', 1.0)
    found = {}
    for name, counts in (('training set', None), ('same', COUNTS), ('reversed', COUNTS[::-1])):
        source, _ = saved_model(cfg, tmp_path, class_counts=counts)
        found[name] = rebalance(cfg, str(source), [rule]).results[rule]
    assert found['training set'] == found['same'] != found['reversed']
    cfg.model.head.loss = dict(type='mmdrl.BalancedSoftmaxLoss', num_classes=10, class_counts=COUNTS[::-1])
    source, _ = saved_model(cfg, tmp_path)
    assert rebalance(cfg, str(source), [rule]).results[rule] == found['same']  # not those that the loss was given
    source, _ = saved_model(digits(tmp_path), tmp_path, class_counts=COUNTS[::-1])
    content = torch.load(source, weights_only=True)
    outcome = rebalance(digits(tmp_path), str(source), [rule], out=tmp_path / 'new.pth')
    assert torch.load(tmp_path / 'new.pth', weights_only=True)['class_counts'] == COUNTS
    assert content['class_counts'] != COUNTS
    assert outcome.results


def test_repeated_training_images_count_once(tmp_path):
    cfg = digits(tmp_path, HEADS['mmpretrain'])
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=3, dataset=cfg.train_dataloader.dataset)
    source, _ = saved_model(cfg, tmp_path, class_counts=None)
    rebalance(cfg, str(source), [], out=tmp_path / 'new.pth')
    assert torch.load(tmp_path / 'new.pth', weights_only=True)['class_counts'] == COUNTS


def test_class_counts_of_the_metric_group_the_classes_as_they_do_in_testing(tmp_path):
    cfg = digits(tmp_path)
    source, _ = saved_model(cfg, tmp_path)
    plain = rebalance(cfg, str(source), []).results[Rule('plain')]
    # The digits have ncm first here: the groups are still those of the linear classifier.
    own = dict(type=ShotAccuracy, many=60, few=20, edges='inclusive', class_counts=COUNTS[::-1])
    cfg.val_evaluator = [dict(type='mmdrl.ShotAccuracy', many=1, few=1, classifier='ncm', prefix='ncm'), own]
    outcome = rebalance(cfg, str(source), [])
    assert outcome.shot_groups == dict(many=60, few=20, edges='inclusive')
    reversed_counts = outcome.results[Rule('plain')]
    assert reversed_counts['all'] == plain['all']
    assert reversed_counts['many'] != plain['many']


def test_without_a_training_set_the_rules_that_need_none_are_tried(tmp_path):
    cfg = digits(tmp_path, train_dataloader=None)
    source, _ = saved_model(cfg, tmp_path)
    outcome = rebalance(cfg, str(source), RULES)
    assert set(outcome.left_out) == {'ncm-euclidean', 'ncm-cosine'}
    assert 'no train_dataloader' in outcome.left_out['ncm-cosine']
    assert len(outcome.results) == 7


def test_validation_set_of_its_own_is_no_test_set(tmp_path):
    cfg = digits(tmp_path)
    cfg.test_dataloader = cfg.train_dataloader
    source, _ = saved_model(cfg, tmp_path)
    outcome = rebalance(cfg, str(source), [], out=tmp_path / 'new.pth')
    assert outcome.best == Rule('plain')
    assert outcome.held_out == dict(images=500, shows_test_images=False)
    new, old = (torch.load(tmp_path / f'{name}.pth', weights_only=True)['state_dict'] for name in ('new', 'source'))
    assert all(torch.equal(new[key], value) for key, value in old.items())


@pytest.mark.parametrize(
    ('changes', 'choose', 'message'),
    [
        ({}, 'top1', "--choose to be one of many, medium, few, all, mean, got 'top1'"),
        (dict(val_dataloader=None), 'all', 'no val_dataloader'),
        (dict(model=dict(head=dict(predict_with='ncm'))), 'all', "predict_with='ncm'"),
        (dict(model=dict(head=dict(logit_adjustment=0.5))), 'all', 'logit_adjustment=0.5'),
        (dict(model=dict(head=dict(num_classes=7))), 'all', r'does not belong to this config: head'),
        (dict(model=dict(head=dict(classifier=dict(type='mmdrl.TauNormClassifier')))), 'all', 'got TauNormClassifier'),
    ],
)
def test_setting_that_cannot_work_is_a_sentence(tmp_path, changes, choose, message):
    source, _ = saved_model(digits(tmp_path), tmp_path)
    with pytest.raises(MMDRLError, match=message):
        rebalance(digits(tmp_path, **changes), str(source), RULES, choose, tmp_path / 'new.pth')
    assert not (tmp_path / 'new.pth').exists()


def test_head_without_a_linear_layer_is_named(tmp_path):
    head = dict(_delete_=True, type='StackedLinearClsHead', num_classes=10, in_channels=64, mid_channels=[16])
    cfg = digits(tmp_path, head)
    init_default_scope('mmpretrain')
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), tmp_path / 'c.pth')
    with pytest.raises(ConfigError, match='this one is StackedLinearClsHead'):
        rebalance(cfg, str(tmp_path / 'c.pth'), RULES)


def test_group_that_no_class_belongs_to_chooses_nothing(tmp_path):
    cfg = digits(tmp_path)
    cfg.val_evaluator = [dict(type='mmdrl.ShotAccuracy', many=1, few=0)]
    source, _ = saved_model(cfg, tmp_path)
    with pytest.raises(ConfigError, match="group 'few'"):
        rebalance(cfg, str(source), [], 'few')


def test_features_that_are_not_finite_are_an_error(tmp_path):
    cfg = digits(tmp_path)
    _, model = saved_model(cfg, tmp_path)
    next(model.backbone.parameters()).data.fill_(float('nan'))
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'c.pth')
    with pytest.raises(DataError, match='not finite'):
        rebalance(cfg, str(tmp_path / 'c.pth'), [])


def test_rebalanced_checkpoint_is_neither_rebalanced_again_nor_resumed(tmp_path):
    source, _ = saved_model(digits(tmp_path), tmp_path)
    rebalance(digits(tmp_path), str(source), RULES, out=tmp_path / 'new.pth')
    with pytest.raises(ConfigError, match=r'rebalanced already, from source\.pth'):
        rebalance(digits(tmp_path), str(tmp_path / 'new.pth'), RULES)
    with pytest.raises(DataError, match=r'new\.pth holds a model only'):
        train_model(digits(tmp_path), resume=str(tmp_path / 'new.pth'))


def test_source_is_never_overwritten_whatever_its_name(tmp_path):
    source, _ = saved_model(digits(tmp_path), tmp_path)
    before = source.read_bytes()
    (tmp_path / 'link.pth').symlink_to(source)
    for out in (source, tmp_path / 'link.pth', tmp_path / 'work' / '..' / 'source.pth'):
        (tmp_path / 'work').mkdir(exist_ok=True)
        with pytest.raises(ConfigError, match='would overwrite'):
            rebalance(digits(tmp_path), str(source), [], out=out)
    assert source.read_bytes() == before


def test_checkpoint_that_cannot_be_written_whole_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / 'new.pth'
    path.write_bytes(b'before')

    def full(content, stream):
        stream.write(b'half')
        raise RuntimeError('PytorchStreamWriter failed writing file')

    monkeypatch.setattr(torch, 'save', full)
    with pytest.raises(DataError, match=r'Writing .*new\.pth failed'):
        write_checkpoint({}, path)
    assert path.read_bytes() == b'before'
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.slow
@pytest.mark.host
def test_inferencer_of_mmpretrain_takes_the_new_checkpoint(tmp_path):
    from mmpretrain import ImageClassificationInferencer

    cfg = digits(tmp_path)
    source, model = saved_model(cfg, tmp_path)
    rebalance(cfg, str(source), [Rule('ncm-euclidean')], 'few', tmp_path / 'new.pth')
    record = torch.load(tmp_path / 'new.pth', weights_only=True)['meta']['rebalance']
    assert json.loads(json.dumps(record))['rule'] == 'ncm-euclidean'
    infer = ImageClassificationInferencer(cfg, pretrained=str(tmp_path / 'new.pth'), device='cpu')
    loader = Runner.build_dataloader(cfg.test_dataloader)
    images = [loader.dataset.get_data_info(position)['img'] for position in range(12)]
    model.load_state_dict(torch.load(tmp_path / 'new.pth', weights_only=True)['state_dict'])
    expected = model.head.fc(extract_features(model, loader)[0]).argmax(dim=1)[:12]
    assert [found['pred_label'] for found in infer(images)] == expected.tolist()


@pytest.mark.slow
def test_head_of_the_last_stage_is_rebalanced_and_tested(tmp_path):
    stages = [
        dict(name='feature', epochs=1),
        dict(name='cosine', epochs=1, head=dict(classifier=dict(type='mmdrl.CosineClassifier'))),
    ]
    cfg = short_config(tmp_path / 'run', stages)
    train(deepcopy(cfg))
    outcome = rebalance(cfg, str(tmp_path / 'run/epoch_2.pth'), RULES, 'mean', tmp_path / 'new.pth')
    assert set(outcome.left_out) == {'tau-norm', 'ncm-euclidean'}
    assert outcome.best != Rule('plain')
    metrics = evaluate(cfg, str(tmp_path / 'new.pth'))
    for group in ('many', 'medium', 'few', 'all'):
        assert metrics[group] == pytest.approx(outcome.results[outcome.best][group])


def test_of_a_shortened_rule_the_best_strength_is_shown_and_of_the_others_all() -> None:
    scores = {
        Rule('plain'): 1.0,
        Rule('tau-norm', 0.5): 2.0,
        Rule('tau-norm', 1.0): 3.0,
        Rule('tau-norm', 2.0): 3.0,  # of equals the first
        Rule('logit-adjustment', 0.5): 5.0,
        Rule('logit-adjustment', 1.0): 4.0,
    }
    results = {rule: dict(all=value, few=-value) for rule, value in scores.items()}
    shown = [str(rule) for rule in best_per_rule(results, 'all', {'tau-norm'})]
    assert shown == ['plain', 'tau-norm 1', 'logit-adjustment 0.5', 'logit-adjustment 1']
    assert str(best_per_rule(results, 'few', {'tau-norm'})[1]) == 'tau-norm 0.5'
