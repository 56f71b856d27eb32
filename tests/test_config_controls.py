"""What sets the rows of a data set apart: their control, one ablation, the ratio, the settings of a paper, no more."""

import re
from pathlib import Path

import pytest
from config_files import ROOT, ROWS, between, config, differences, method_of, named

from mmdrl.datasets.lists.published import PUBLISHED

pytestmark = pytest.mark.host
CONTROLS = {'drl': 'crt', 'drl-linear': 'ce', 'drl-crt': 'ce-crt'}
IMAGES = {  # class counts of Cao et al., and the published lists
    'cifar100_lt': (10_847, 100),
    'cifar10_lt': (12_406, 10),
    'digits_lt': (331, 10),
    'imagenet_lt': (PUBLISHED['ImageNet-LT']['train'].images, 1000),
    'places_lt': (PUBLISHED['Places-LT']['train'].images, 365),
    'inaturalist2018': (PUBLISHED['iNaturalist 2018']['train'].images, 8142),
}


def rows(*methods: str) -> list:
    return [pytest.param(path, id=path.stem) for path in ROWS if method_of(path) in methods]


def control_of(path: Path) -> Path | None:
    method = method_of(path)
    control = named(CONTROLS.get(method, method.removeprefix('drl-')), path)
    return control if method.startswith('drl') and control in ROWS else None


PAIRS = [pytest.param(path, control_of(path), id=path.stem) for path in ROWS if control_of(path)]


def test_every_flagship_has_its_control() -> None:
    assert {pair.values[0] for pair in PAIRS} >= {row.values[0] for row in rows('drl', 'drl-linear')}
    assert named('drl-la', ROOT / 'cifar10_lt/ce_r32_cifar10-lt-ir10.py') in {pair.values[0] for pair in PAIRS}


@pytest.mark.parametrize(('path', 'control'), PAIRS)
def test_the_dr_loss_is_all_that_sets_a_config_apart_from_its_control(path: Path, control: Path) -> None:
    cfg, other = (config(name).to_dict() for name in (path, control))
    assert cfg['model']['head'].pop('dr_loss')['type'] == 'mmdrl.DRLoss'
    assert cfg == other


LOSS, HEAD = 'model.head.dr_loss', 'model.head'
CHANGES = {
    'drl-shared-radius': {f'{LOSS}.radius.type', f'{LOSS}.radius.scale', f'{LOSS}.radius.value'},
    'drl-learned-radius': {f'{LOSS}.radius.type', f'{LOSS}.radius.scale', f'{LOSS}.radius.init'},
    'drl-measured-radius': {f'{LOSS}.radius.type'},
    'drl-class-scope': {f'{LOSS}.scope', f'{LOSS}.margin'},
    'drl-two-layers': {'model.backbone.out_indices', f'{HEAD}.dr_layers', f'{HEAD}.dr_channels'},
    'drl-epoch-centroids': {f'{HEAD}.centroids.mode'},
    'drl-ema-centroids': {f'{HEAD}.centroids.mode'},
}


@pytest.mark.parametrize('path', rows(*CHANGES))
def test_ablation_changes_one_thing(path: Path) -> None:
    found = between(path, named('drl', path))
    decay = {name for name in found if name.startswith('optim_wrapper.paramwise_cfg')}
    assert found - decay == CHANGES[method_of(path)]
    if method_of(path) != 'drl-learned-radius':
        assert not decay
        return
    ours = config(path).optim_wrapper.paramwise_cfg.custom_keys
    assert ours.pop('dr_loss.radius') == dict(decay_mult=0.0)
    theirs = config(named('drl', path)).optim_wrapper.get('paramwise_cfg', {})
    assert differences(dict(ours), dict(theirs.get('custom_keys', {}))) == set()


@pytest.mark.parametrize('path', rows('drl-shared-radius', 'drl-learned-radius'))
def test_radius_of_all_classes_is_that_of_a_class_of_average_size(path: Path) -> None:
    """That is what the flagship gives N / K images, ``scale / sqrt(N / K)``."""
    scale = config(named('drl', path)).model.head.dr_loss.radius.scale
    images, classes = IMAGES[path.parent.name]
    radius = config(path).model.head.dr_loss.radius
    value = radius.value if radius.type == 'mmdrl.SharedRadius' else radius.init
    assert value == pytest.approx(scale / (images / classes) ** 0.5, abs=0.0005)


@pytest.mark.parametrize('path', rows('drl-two-layers'))
def test_two_layers_are_the_last_two_stages(path: Path) -> None:
    model = config(path).model
    widths = dict(enumerate((16, 32, 64) if path.parent.name[:3] in ('cif', 'dig') else (256, 512, 1024, 2048)))
    assert tuple(widths[stage] for stage in model.backbone.out_indices) == tuple(widths.values())[-2:]
    assert model.head.dr_channels == tuple(widths.values())[-2:]


@pytest.mark.parametrize(
    'path', [path for path in ROWS if path.stem.endswith(('ir50', 'ir10')) and 'cifar' in path.stem]
)
def test_ratio_is_all_that_sets_a_config_apart_from_that_of_ratio_100(path: Path) -> None:
    stem, ratio = path.stem.rsplit('-ir')
    assert between(path, path.with_name(f'{stem}-ir100.py')) == {'train_dataloader.dataset.imbalance_ratio'}
    assert config(path).train_dataloader.dataset.imbalance_ratio == int(ratio)


BUDGET = ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler', 'auto_scale_lr', 'val_evaluator')
OWN = {  # what a row has of its own: settings of a released code, and radii without weight decay
    'drl-released': {
        *('train_cfg.max_epochs', 'param_scheduler'),
        *('optim_wrapper.optimizer.weight_decay', 'optim_wrapper.paramwise_cfg'),
    },
    'ce-plain': {
        'train_dataloader.dataset.dataset.pipeline',
        'optim_wrapper.optimizer.weight_decay',
        'param_scheduler',
    },
    'drl-learned-radius': {'optim_wrapper.paramwise_cfg'},
}


@pytest.mark.parametrize('path', ROWS, ids=lambda path: path.stem)
def test_rows_of_a_set_have_one_budget(path: Path) -> None:
    """Epochs, batches, augmentation, optimiser and schedule; stages that follow from the method come on top."""
    cfg, other = (config(name).to_dict() for name in (path, named('ce', path)))
    found = differences({key: cfg[key] for key in BUDGET}, {key: other[key] for key in BUDGET})
    own = OWN.get(method_of(path), set())
    if path.stem == 'ldam-drw_r8_digits-lt-ir50':
        own = {'param_scheduler'}
    assert {name for name in found if not name.startswith(tuple(own))} == set()


@pytest.mark.parametrize('path', rows('ce'))
def test_epochs_are_those_of_the_name(path: Path) -> None:
    epochs = re.search(r'-(\d+)e$', path.stem)
    known = dict(cifar100_lt=200, cifar10_lt=200, digits_lt=50)
    assert config(path).train_cfg.max_epochs == (int(epochs[1]) if epochs else known[path.parent.name])


CITED = {
    **dict.fromkeys(['ncm', 'taunorm', 'ce-crt', 'lws'], 'Kang et al., ICLR 2020'),
    'balsoftmax': 'Ren et al., NeurIPS 2020',
    **dict.fromkeys(['ldam-drw', 'ce-plain'], 'Cao et al., NeurIPS 2019'),
    'la': 'Menon et al., ICLR 2021',
    **dict.fromkeys(['drl', 'drl-released'], 'Samuel & Chechik, ICCV 2021'),
}


@pytest.mark.parametrize('path', ROWS, ids=lambda path: path.stem)
def test_first_comment_says_what_it_is_and_cites_the_paper(path: Path) -> None:
    comment = path.read_text().split('_base_')[0]
    assert re.match(r'# \S.*[.:]', comment)
    if not (path.stem.endswith(('ir50', 'ir10')) and 'cifar' in path.stem):
        assert CITED.get(method_of(path), '') in comment.replace('\n# ', ' ')


@pytest.mark.parametrize('path', rows('ncm', 'taunorm', 'balsoftmax'))
def test_head_is_all_that_sets_these_apart_from_ce(path: Path) -> None:
    head = config(path).model.head
    assert (
        between(path, named('ce', path))
        == dict(
            ncm={'model.head.predict_with'}, taunorm={'model.head.classifier'}, balsoftmax={'model.head.loss.type'}
        )[method_of(path)]
    )
    if method_of(path) == 'ncm':
        assert head.predict_with == 'ncm'
    elif method_of(path) == 'taunorm':
        assert head.classifier == dict(type='mmdrl.TauNormClassifier', tau=1.0, keep_bias=False)
    else:
        assert head.loss.type == 'mmdrl.BalancedSoftmaxLoss'


@pytest.mark.parametrize('path', rows('ldam-drw'))
def test_ldam_drw_has_the_numbers_of_its_released_code(path: Path) -> None:
    """s = 30, largest margin 0.5, beta 0.9999 in the last 40 of 200 epochs, and torch's weighted mean."""
    cfg = config(path)
    assert cfg.model.head.classifier == dict(type='mmdrl.CosineClassifier', scale=1.0)
    first, last = cfg.default_hooks.stages.stages
    assert 'loss' not in first
    assert last.epochs * 200 == 40 * cfg.train_cfg.max_epochs
    weighted = dict(class_weight='effective', beta=0.9999) | dict(last.loss)
    inner = weighted.pop('loss')
    assert weighted == dict(type='mmdrl.ClassBalancedLoss', class_weight='effective', beta=0.9999, average='weights')
    for loss in (cfg.model.head.loss, inner):
        assert loss.type == 'mmdrl.LDAMLoss'
        assert (loss.get('max_margin', 0.5), loss.get('scale', 30.0)) == (0.5, 30.0)


@pytest.mark.parametrize('path', rows('ce-crt', 'crt', 'drl'))
def test_stages_have_their_share_of_the_epochs_and_end_with_the_classifier_alone(path: Path) -> None:
    cfg = config(path)
    *before, last = cfg.default_hooks.stages.stages
    assert last['freeze'] == ['backbone']
    assert (last.sampler.type, last.sampler.samples_per_class) == ('mmdrl.ClassAwareSampler', 4)
    assert last.get('reset') == (['head.fc'] if method_of(path) == 'ce-crt' else None)
    if path.parent.name == 'digits_lt':
        return
    tenths = [10 * stage.epochs / cfg.train_cfg.max_epochs for stage in (*before, last)]
    assert tenths == ([9, 1] if method_of(path) == 'ce-crt' else [6, 3, 1])
    assert last.sampler.num_samples == 'images'  # an epoch costs what a plain one does
    assert all('sampler' not in stage or stage.sampler == last.sampler for stage in before)
