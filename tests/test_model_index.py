"""The model index and the tables of the READMEs say of every config what is true of it, and nothing more."""

import functools
import json
import re
from collections import Counter
from pathlib import Path
from statistics import mean

import mmengine.config.utils
import mmpretrain
import numpy as np
import pytest
import torch
import yaml
from command import ROOT, mim
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.apis.model import ModelHub
from mmpretrain.registry import MODELS
from modelindex.load_model_index import load
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

pytestmark = pytest.mark.host
CONFIGS = sorted(path for path in (ROOT / 'configs').glob('*/*.py') if path.parent.name != '_base_')
METAFILES = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
ROWS = {row['Name']: row for name in METAFILES for row in yaml.safe_load((ROOT / name).read_text())['Models']}
# Labels of the lines of benchmarks/results, and the configs that were trained for them.
MEASURED = {
    'digits_seeds.json': {'ce': 'ce', 'crt': 'crt', 'drl': 'drl'},
    'digits_balancing.json': {
        'CE': 'ce',
        'CE + cRT': 'ce-crt',
        'CE + LWS': 'lws',
        'balanced softmax': 'balsoftmax',
        'LDAM-DRW': 'ldam-drw',
        'DR, linear': 'drl-linear',
        'DR + cRT': 'drl-crt',
        'DR + logit adjustment': 'drl-la',
    },
}


read_once = functools.cache(mmengine.config.utils.load)


def measured() -> dict[str, tuple[float, float, str]]:
    """By config: mean, deviation and file, from the summaries of the result files."""
    found: dict[str, tuple[float, float, str]] = {}
    for file, labels in MEASURED.items():
        summary = json.loads((ROOT / 'benchmarks/results' / file).read_text())['summary']
        for label, method in labels.items():
            found.setdefault(f'{method}_r8_digits-lt-ir50', (*summary[label]['all'], file))
    return found


@functools.cache
def read(path: Path) -> Config:
    return Config.fromfile(path)


@pytest.fixture(autouse=True)
def metafiles_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a config that names parts of MMPretrain, MMEngine reads all metafiles of MMPretrain for each."""
    monkeypatch.setattr(mmengine.config.utils, 'load', read_once)


def build(path: Path) -> nn.Module:
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(read(path).model).eval()


def test_every_config_has_a_row_and_every_row_a_config_of_its_name() -> None:
    """Names are in lower case, as mim searches in it; no two are the same."""
    assert set(ROWS) == {path.stem for path in CONFIGS}
    assert sum(len(yaml.safe_load((ROOT / name).read_text())['Models']) for name in METAFILES) == len(ROWS)
    for name, row in ROWS.items():
        assert name == name.lower()
        path = ROOT / row['Config']
        assert path in CONFIGS
        assert path.stem == name


def test_every_metafile_is_in_the_model_index() -> None:
    assert {ROOT / name for name in METAFILES} == set((ROOT / 'configs').rglob('metafile.yml'))
    assert {path.parent for path in CONFIGS} == {(ROOT / name).parent for name in METAFILES}


def test_collections_have_a_readme_and_only_rows_of_the_paper_have_that_paper() -> None:
    for metafile in METAFILES:
        content = yaml.safe_load((ROOT / metafile).read_text())
        collections = {entry['Name']: entry for entry in content['Collections']}
        for entry in collections.values():
            assert (ROOT / entry['README']).is_file()
        for row in content['Models']:
            paper = collections[row['In Collection']].get('Paper', {})
            assert (paper.get('URL') == 'https://arxiv.org/abs/2104.03066') == row['Name'].startswith('drl')


def test_results_are_those_of_the_result_files_and_no_other_row_has_a_number() -> None:
    """But for the row of a published checkpoint, whose results are those of the checkpoint."""
    expected = {name: round(value, 2) for name, (value, _, _) in measured().items()}
    for name, row in ROWS.items():
        (entry,) = row['Results']
        assert (entry['Task'], entry['Dataset']) == ('Image Classification', row['Metadata']['Training Data'])
        if 'Weights' in row:
            continue
        numbers = {'Top 1 Accuracy': pytest.approx(expected[name], abs=0.006)} if name in expected else {}
        assert entry['Metrics'] == numbers


def test_inferencer_takes_a_model_without_a_number() -> None:
    """MMPretrain takes the task from the results."""
    assert ROWS['taunorm_r8_digits-lt-ir50']['Results'][0]['Metrics'] == {}
    import mmdrl  # noqa: F401

    result = mmpretrain.inference_model('taunorm_r8_digits-lt-ir50', np.zeros((8, 8, 1), np.uint8))
    assert 0 <= result['pred_label'] < 10


def test_summaries_of_the_result_files_are_those_of_their_runs() -> None:
    """So the mean of a row is one over all seeds, whichever way it is read."""
    for file, labels in MEASURED.items():
        content = json.loads((ROOT / 'benchmarks/results' / file).read_text())
        for label, method in labels.items():
            values = [run['metrics']['all'] for run in content['runs'] if run['method'] == method]
            assert len(values) == content['seeds'] == 12
            assert mean(values) == pytest.approx(content['summary'][label]['all'][0], abs=1e-4)


def test_weights_have_the_name_that_published_checkpoints_have() -> None:
    """``NAME_DATE-sha8.pth``; a row without a published checkpoint has none."""
    for name, row in ROWS.items():
        if 'Weights' in row:
            assert re.fullmatch(rf'https://\S+/{re.escape(name)}_\d{{8}}-[0-9a-f]{{8}}\.pth', row['Weights'])


def conv_flops(shape: tuple[int, int, int], side: int) -> int:
    channels_in, channels_out, kernel = shape
    return channels_in * channels_out * kernel**2 * side**2


def test_resnet32_has_the_size_that_its_layers_add_up_to() -> None:
    """10 + 10 + 10 convolutions of 16, 32 and 64 channels, shortcuts without parameters, 64-d feature."""
    convs = [((3, 16, 3), 32), *[((16, 16, 3), 32)] * 10]
    convs += [((16, 32, 3), 16), *[((32, 32, 3), 16)] * 9, ((32, 64, 3), 8), *[((64, 64, 3), 8)] * 9]
    weights = sum(a * b * k**2 for (a, b, k), _ in convs)
    norms = sum(2 * b for (_, b, _), _ in convs)
    metadata = ROWS['ce_r32_cifar100-lt-ir100']['Metadata']
    assert metadata['Parameters'] == weights + norms + 64 * 100 + 100
    after_norms = sum(2 * b * side**2 for (_, b, _), side in convs)
    products = sum(conv_flops(*conv) for conv in convs) + 64 * 100
    assert metadata['FLOPs'] == products + after_norms + 64 * 8**2  # and the pooling


SIZES = [
    ('ldam-drw_r8_digits-lt-ir50', (1, 8)),
    ('lws_r8_digits-lt-ir50', (1, 8)),
    ('drl-two-layers_r32_cifar10-lt-ir100', (3, 32)),
    ('drl-learned-radius_r50_imagenet-lt-100e', (3, 224)),
    ('ce_r50_inaturalist2018-100e', (3, 224)),
]


@pytest.mark.parametrize(('name', 'image'), SIZES, ids=[name for name, _ in SIZES])
def test_sizes_equal_the_count_of_another_counter(name: str, image: tuple[int, int]) -> None:
    """PyTorch's counts two for a multiplication and addition, and leaves normalisation and pooling out."""
    model, others = build(ROOT / ROWS[name]['Config']), []
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.register_forward_hook(lambda module, inputs, output: others.append(2 * output.numel()))
        elif isinstance(module, nn.AdaptiveAvgPool2d):
            module.register_forward_hook(lambda module, inputs, output: others.append(inputs[0].numel()))
    channels, side = image
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, channels, side, side))
    metadata = ROWS[name]['Metadata']
    assert metadata['FLOPs'] == pytest.approx(counter.get_total_flops() / 2 + sum(others), rel=1e-3)
    assert metadata['Parameters'] == sum(p.numel() for p in model.parameters())


PUBLISHED = {'ce_r50_imagenet-lt-100e': 'resnet50_8xb32_in1k', 'ce_x50_imagenet-lt-100e': 'resnext50-32x4d_8xb32_in1k'}


@pytest.mark.parametrize(('name', 'twin'), PUBLISHED.items())
def test_models_of_1000_classes_are_as_large_as_mmpretrain_says(name: str, twin: str) -> None:
    """Its FLOPs are rounded and those of ResNet-50 of another counter: 4.12 G."""
    folder = Path(mmpretrain.__file__).parent / '.mim/configs' / twin.split('50')[0]
    rows = yaml.safe_load((folder / 'metafile.yml').read_text())['Models']
    expected = next(row['Metadata'] for row in rows if row['Name'] == twin)
    for key in ('Parameters', 'FLOPs'):
        assert ROWS[name]['Metadata'][key] == pytest.approx(expected[key], rel=5e-3)


PAGE_ROWS = {
    name: (page, cells.split(' | '))
    for page in sorted((ROOT / 'configs').glob('*/README.md'))
    for name, cells in re.findall(r'^\| `(\S+)\.py` \| (.*) \|$', page.read_text(), re.MULTILINE)
}


def test_every_config_has_one_row_in_the_readme_of_its_folder() -> None:
    text = ''.join(page.read_text() for page in (ROOT / 'configs').glob('*/README.md'))
    assert Counter(re.findall(r'^\| `(\S+)\.py` \|', text, re.MULTILINE)) == Counter(path.stem for path in CONFIGS)
    assert {page.parent / f'{name}.py' for name, (page, _) in PAGE_ROWS.items()} == set(CONFIGS)


@pytest.mark.parametrize('folder', sorted({path.parent.name for path in CONFIGS}))
def test_rows_of_a_readme_tell_epochs_sizes_and_a_command_that_fits(folder: str) -> None:
    for path in (path for path in CONFIGS if path.parent.name == folder):
        cfg, metadata = read(path), ROWS[path.stem]['Metadata']
        _, epochs, command, parameters, flops, _ = PAGE_ROWS[path.stem][1]
        stages = cfg.default_hooks.get('stages', {}).get('stages', [])
        lengths = [int(number) for number in epochs.split(' + ')]
        assert lengths == ([stage.epochs for stage in stages] or [cfg.train_cfg.max_epochs])
        assert sum(lengths) == cfg.train_cfg.max_epochs == metadata['Epochs']
        target, gpus = re.fullmatch(r'`mim train mmdrl (\S+) --gpus (\d)`', command).groups()
        if ROOT / target != path:
            assert read(ROOT / target).to_dict() == cfg.to_dict()  # its alias
        assert max(1, int(gpus)) * cfg.train_dataloader.batch_size == metadata['Batch Size']
        assert metadata['Batch Size'] == cfg.auto_scale_lr.base_batch_size
        assert int(parameters.replace(',', '')) == metadata['Parameters']
        number, unit = flops.split()
        assert float(number) * {'M': 1e6, 'G': 1e9}[unit] == pytest.approx(metadata['FLOPs'], rel=5e-3)


def test_measured_column_has_mean_deviation_and_source_or_says_not_yet() -> None:
    expected = {
        name: f'{value:.1f} ± {spread:.1f} ([12 seeds](../../benchmarks/results/{file}))'
        for name, (value, spread, file) in measured().items()
    }
    for name, (_, cells) in PAGE_ROWS.items():
        assert cells[-1] == expected.get(name, 'not yet')


def test_links_of_the_readmes_lead_somewhere() -> None:
    for page in (ROOT / 'configs').glob('*/README.md'):
        for link in re.findall(r'\]\(([^)#]+)', page.read_text()):
            assert link.startswith('https://') or (page.parent / link).exists(), f'{page}: {link}'


def test_index_loads_as_the_hubs_load_it(monkeypatch: pytest.MonkeyPatch) -> None:
    index = load(str(ROOT / 'model-index.yml'))
    # It looks for pages beside the metafile; OpenMMLab, and mim, take them from the root.
    assert [error for error in index.check(silent=True) if 'Path to README' not in error] == []
    assert {model.name for model in index.models} == set(ROWS)
    monkeypatch.setattr(ModelHub, '_models_dict', {})
    ModelHub.register_model_index(ROOT / 'model-index.yml', config_prefix=ROOT)
    found = ModelHub._models_dict['ce-crt_r8_digits-lt-ir50']
    assert found.config == str(ROOT / ROWS['ce-crt_r8_digits-lt-ir50']['Config'])
    assert found.results[0].metrics == {'Top 1 Accuracy': 88.97}
    assert found.weights is None


@pytest.mark.slow
def test_mim_finds_rows_by_model_set_and_number(tmp_path: Path) -> None:
    answer = mim('search', 'mmdrl', '--condition', 'parameters<100000', '--json', tmp_path / 'a.json', cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    found = json.loads((tmp_path / 'a.json').read_text())
    assert set(found['config']) == {name for name, row in ROWS.items() if row['Metadata']['Parameters'] < 100_000}
    assert found['digits-lt/top_1_accuracy']['drl_r8_digits-lt-ir50'] == 92.7
    answer = mim('search', 'mmdrl', '--dataset', 'places-lt', '--valid-config', cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    assert 'drl_r152_places-lt-30e' in answer.stdout
    assert 'digits' not in answer.stdout
