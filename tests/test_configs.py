"""Every config builds; names, bases and schedules follow the rules that mim, MMEngine and the papers set."""

import math
import re
from collections import Counter
from pathlib import Path

import pytest
import torch
import yaml
from config_files import CONFIGS, ROOT, ROWS, bases, config, method_of
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.utils import get_installed_path
from mmpretrain.registry import MODELS, PARAM_SCHEDULERS

from mmdrl.engine.config import LOADERS
from mmdrl.engine.preflight import check_data_paths
from mmdrl.engine.stages import StagePlan
from mmdrl.errors import DataError

pytestmark = pytest.mark.host
METHODS = {'ce', 'ncm', 'taunorm', 'balsoftmax', 'ldam-drw', 'ce-crt', 'crt', 'drl'}
RADII = {'drl-shared-radius', 'drl-learned-radius', 'drl-measured-radius'}
CENTROIDS = {'drl-epoch-centroids', 'drl-ema-centroids'}
ABLATIONS = RADII | CENTROIDS | {'drl-class-scope', 'drl-two-layers'}
LA = {'la', 'drl-la'}
SETS = {
    'cifar100_lt/_r32_cifar100-lt-ir100': METHODS | ABLATIONS | LA | {'drl-released', 'ce-plain'},
    'cifar100_lt/_r32_cifar100-lt-ir50': METHODS | LA | {'drl-released'},
    'cifar100_lt/_r32_cifar100-lt-ir10': METHODS | LA | {'drl-released'},
    'cifar10_lt/_r32_cifar10-lt-ir100': METHODS | ABLATIONS | LA | {'ce-plain'},
    'cifar10_lt/_r32_cifar10-lt-ir50': METHODS | LA,
    'cifar10_lt/_r32_cifar10-lt-ir10': METHODS | LA,
    'imagenet_lt/_r50_imagenet-lt-100e': METHODS | ABLATIONS,
    'imagenet_lt/_x50_imagenet-lt-100e': METHODS,
    # The second last stage is frozen there: a DR loss on it would train nothing.
    'places_lt/_r152_places-lt-30e': METHODS | ABLATIONS - {'drl-two-layers'},
    'inaturalist2018/_r50_inaturalist2018-100e': METHODS | ABLATIONS,
    'digits_lt/_r8_digits-lt-ir50': METHODS | ABLATIONS | {'lws', 'drl-linear', 'drl-crt', 'drl-la'},
}


def test_every_set_has_its_rows_and_nothing_else() -> None:
    wanted = [ROOT / name.replace('/', f'/{method}') for name, methods in SETS.items() for method in methods]
    assert [path.with_suffix('') for path in ROWS] == sorted(wanted)


def test_no_two_configs_share_a_name() -> None:
    """mim finds a config by its file name and stops at the second."""
    assert [name for name, count in Counter(path.name for path in ROOT.rglob('*.py')).items() if count > 1] == []


def depth(path: Path) -> int:
    own = [path.parent / name for name in bases(path) if '::' not in name]
    return max((1 + depth(base) for base in own), default=0)


def test_bases_are_at_most_two_levels_deep() -> None:
    assert {path.stem: depth(path) for path in ROWS if not 1 <= depth(path) <= 2} == {}


@pytest.mark.parametrize('path', [path for path in CONFIGS if path.parent == ROOT], ids=lambda path: path.stem)
def test_alias_at_the_top_adds_nothing(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith('#')]
    assert len(lines) == 1
    assert lines[0].startswith('_base_ = ')
    assert ROOT / bases(path)[0] in ROWS


def test_flagship_of_every_set_and_the_quick_start_have_an_alias() -> None:
    aliased = {bases(path)[0] for path in CONFIGS if path.parent == ROOT}
    flagships = {name.replace('/', '/drl') for name in SETS if not name.endswith(('lt-ir50', 'lt-ir10'))}
    quick = {f'digits_lt/{method}_r8_digits-lt-ir50' for method in ('ce', 'crt', 'drl')}
    assert aliased == {f'{name}.py' for name in flagships | quick}


BUILT: dict[str, int] = {}  # classes of each distinct model, as many rows share one


@pytest.mark.parametrize('path', ROWS, ids=lambda path: path.stem)
def test_model_builds_for_the_classes_of_the_data(path: Path) -> None:
    cfg = config(path)
    assert cfg.default_scope == 'mmpretrain'
    if (model := str(cfg.model)) not in BUILT:
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            head = MODELS.build(config(path).model).head
        assert head.num_classes == head.fc.out_features
        BUILT[model] = head.num_classes
    preprocessor = cfg.get('data_preprocessor') or cfg.model.data_preprocessor
    assert BUILT[model] == preprocessor.num_classes


def test_mmpretrains_own_tool_can_make_every_loader() -> None:
    """It asks for persistent workers where a config says nothing of them, and torch refuses these without workers."""
    for path in {path.parent: path for path in ROWS}.values():  # one of each set: the rows share their loaders
        cfg = config(path)
        for loader in (cfg[name] for name in LOADERS):
            assert loader.get('num_workers', 0) > 0 or not loader.get('persistent_workers', True), path.stem


@pytest.mark.parametrize('path', ROWS, ids=lambda path: path.stem)
def test_stages_fit_the_run(path: Path) -> None:
    cfg = config(path)
    if 'stages' in cfg.default_hooks:
        StagePlan(cfg.default_hooks.stages.stages).check_fits(cfg.train_cfg.max_epochs)


def test_pretrained_weights_of_places_are_those_that_mmpretrain_publishes() -> None:
    published = Path(get_installed_path('mmpretrain')) / '.mim/configs/resnet/metafile.yml'
    rows = {row['Name']: row.get('Weights') for row in yaml.safe_load(published.read_text())['Models']}
    file = rows['resnet152_8xb32_in1k'].rpartition('/')[2]  # the fork has a server of its own
    for path in (ROOT / 'places_lt').glob('*.py'):
        backbone = config(path).model.backbone
        assert (backbone.type, backbone.depth, backbone.frozen_stages) == ('ResNet', 152, 3)
        assert backbone.init_cfg.checkpoint == f'https://download.openmmlab.com/mmclassification/v0/resnet/{file}'


@pytest.mark.parametrize('path', sorted((ROOT / '_base_/schedules').glob('*.py')), ids=lambda path: path.stem)
def test_rate_is_tied_to_the_batch_that_the_comment_names(path: Path) -> None:
    gpus, images = map(int, re.match(r'# (\d+) GPUs? x (\d+) images', path.read_text()).groups())
    users = [row for row in ROWS if f'../_base_/schedules/{path.name}' in bases(row)]
    assert users
    assert Config.fromfile(path).auto_scale_lr == dict(base_batch_size=gpus * images)
    assert {config(row).train_dataloader.batch_size for row in users} == {images}


def rates(cfg: Config, epochs: int, schedule: list | None = None) -> list[float]:
    """Learning rate of every epoch under the config's own schedules, or others."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=cfg.optim_wrapper.optimizer.lr)
    entries = cfg.param_scheduler if schedule is None else schedule
    schedulers = [PARAM_SCHEDULERS.build(dict(entry, optimizer=optimizer)) for entry in entries]
    found = []
    for _ in range(epochs):
        found.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return found


STEPS = [0.02, 0.04, 0.06, 0.08] + [0.1] * 156 + [1e-3] * 20 + [1e-5] * 20


@pytest.mark.parametrize(
    'name',
    ['cifar100_lt/drl-released_r32_cifar100', 'cifar100_lt/ce-plain_r32_cifar100', 'cifar10_lt/ce-plain_r32_cifar10'],
)
def test_rates_of_released_codes(name: str) -> None:
    """Five epochs up to 0.1, and a hundredth after 160 and again after 180: LDAM-DRW and DRO-LT alike."""
    assert rates(config(ROOT / f'{name}-lt-ir100.py'), 200) == pytest.approx(STEPS)


def rise_and_cosine(epochs: int, *, rises: bool) -> list[float]:
    """Five epochs up to 0.1, as in the released code of LDAM-DRW, and down as a cosine."""
    rise = [0.02, 0.04, 0.06, 0.08, 0.1] if rises else []
    rest = epochs - len(rise)
    return rise + [0.05 * (1 + math.cos(math.pi * epoch / rest)) for epoch in range(rest)]


WITH_COSINE = [path for path in ROWS if method_of(path) == 'ce'] + [ROOT / 'digits_lt/ldam-drw_r8_digits-lt-ir50.py']


@pytest.mark.parametrize('path', WITH_COSINE, ids=lambda path: path.stem)
def test_rates_rise_for_five_epochs_and_fall_as_a_cosine(path: Path) -> None:
    """Of the digits, LDAM alone has the rise."""
    cfg, rises = config(path), path.stem != 'ce_r8_digits-lt-ir50'
    epochs = cfg.train_cfg.max_epochs
    assert rates(cfg, epochs) == pytest.approx(rise_and_cosine(epochs, rises=rises), abs=1e-9)


@pytest.mark.parametrize('path', [path for path in ROWS if method_of(path) == 'ce-crt'], ids=lambda path: path.stem)
def test_crt_runs_the_schedule_of_ce_to_its_end_and_one_of_its_own(path: Path) -> None:
    cfg, rises = config(path), path.parent.name != 'digits_lt'
    feature, classifier = cfg.default_hooks.stages.stages
    expected = rise_and_cosine(feature.epochs, rises=rises)
    assert rates(cfg, feature.epochs, feature.param_scheduler) == pytest.approx(expected, abs=1e-9)
    assert classifier.lr == cfg.optim_wrapper.optimizer.lr
    expected = rise_and_cosine(classifier.epochs, rises=False)
    assert rates(cfg, classifier.epochs, classifier.param_scheduler) == pytest.approx(expected, abs=1e-9)


LARGE = [path for path in ROWS if method_of(path) == 'drl' and path.parent.name.startswith(('im', 'in', 'pl'))]


@pytest.mark.parametrize('path', LARGE, ids=lambda path: path.stem)
def test_missing_data_is_named_with_the_option_that_changes_it(path: Path, tmp_path: Path) -> None:
    cfg = config(path)
    for loader in LOADERS:
        cfg[loader].dataset.data_root = str(tmp_path / 'nowhere')
        with pytest.raises(DataError, match=rf'nowhere.*{loader}\.dataset\.data_root'):
            check_data_paths(cfg, (loader,))
