"""The class statistics tool as a user types it, on every kind of source."""

import argparse
import json
import lzma
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from command import ROOT, mim, run, tool
from refusals import command

from mmdrl.datasets.label_files import read_labels
from mmdrl.engine.class_sources import source_counts, source_groups
from mmdrl.errors import ConfigError, DataError, MMDRLError

LABELS = np.repeat([0, 1, 2], [150, 30, 5])


@pytest.fixture
def sources(tmp_path) -> dict[str, Path]:
    """The same labels in files of every kind."""
    rows = ''.join(f'train/a {number}.jpg {label}\n' for number, label in enumerate(LABELS))
    images = [dict(id=number, file_name=f'a/{number}.jpg') for number in range(len(LABELS))]
    annotations = [dict(image_id=number, category_id=int(label)) for number, label in enumerate(LABELS)]
    paths = {kind: tmp_path / f'set.{kind}' for kind in ('txt', 'txt.xz', 'npz', 'npy', 'json')}
    paths['txt'].write_text(rows)
    paths['txt.xz'].write_bytes(lzma.compress(rows.encode()))
    np.savez(paths['npz'], images=np.zeros((len(LABELS), 2, 2), np.uint8), labels=LABELS)
    np.save(paths['npy'], LABELS.astype(np.uint8))
    paths['json'].write_text(json.dumps(dict(images=images, annotations=annotations)))
    return paths


def test_every_kind_of_file_tells_its_labels_in_order(sources):
    for path in sources.values():
        assert np.array_equal(read_labels(path), LABELS), path


def test_array_without_a_name_is_the_labels(tmp_path):
    np.savez(tmp_path / 'a.npz', LABELS)
    assert np.array_equal(read_labels(tmp_path / 'a.npz'), LABELS)


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.txt', b'train/1.jpg 0\ntrain/2.jpg\n', 'line 2'),
        ('a.txt', b'a.jpg 0\nb.jpg 999999999\n', '999999999 at position 1'),
        ('a.txt', b'', 'a.txt'),
        ('a.txt', b'a.jpg 0\na.jpg 1\n', 'line 2'),
        ('a.txt.xz', b'a.jpg 0\n', 'cannot be unpacked'),
        ('a.txt.xz', lzma.compress(b'a.jpg 0\nb.jpg\n'), r'a\.txt\.xz, line 2'),
        ('a.txt.xz', lzma.compress(bytes(1000))[:-20], 'cannot be unpacked'),
        ('a.npz', b'PK', 'cannot be read'),
        ('a.npy', b'\x93NUMPY', 'cannot be read'),
        ('a.json', b'{"images": []}', 'annotations'),
        ('a.json', b'[1', 'JSON'),
    ],
)
def test_file_without_labels_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_labels(tmp_path / name)


@pytest.mark.parametrize(
    ('arrays', 'message'),
    [
        (dict(labels=np.zeros(3)), 'float64'),
        (dict(labels=np.zeros((3, 1), int)), r'\(3, 1\)'),
        (dict(labels=np.array([0, -1])), '-1 at position 1'),
        (dict(labels=np.array([0, 2**62])), '4611686018427387904 at position 1'),
        (dict(labels=np.array([0, 2**63 + 5], np.uint64)), '9223372036854775813 at position 1'),
        (dict(labels=np.zeros(0, int)), 'no label'),
        (dict(images=np.zeros(3), names=np.zeros(3)), "'labels'"),
        (dict(labels=np.array([object()])), 'pickle'),
    ],
)
def test_array_that_holds_no_labels_is_named(tmp_path, arrays, message):
    np.savez(tmp_path / 'a.npz', **arrays)
    with pytest.raises(DataError, match=message):
        read_labels(tmp_path / 'a.npz')


def test_config_tells_the_split_asked_for():
    config = str(ROOT / 'configs/drl_r8_digits-lt.py')
    counts = source_counts([config])
    # By hand: 120 * 50 ** (-c / 9), truncated; 50 of each class are held out.
    assert {name: values.tolist() for name, values in counts.items()} == {
        'drl_r8_digits-lt.py train': [120, 77, 50, 32, 21, 13, 8, 5, 3, 2]
    }
    assert source_counts([config], 'val')['drl_r8_digits-lt.py val'].tolist() == [50] * 10


def test_config_without_the_split_says_so(tmp_path):
    (tmp_path / 'empty.py').write_text('train_dataloader = None\n')
    with pytest.raises(ConfigError, match=r'empty\.py has no train_dataloader'):
        source_counts([str(tmp_path / 'empty.py')])


def test_config_that_cannot_be_built_says_why(tmp_path):
    (tmp_path / 'odd.py').write_text("train_dataloader = dict(dataset=dict(type='NoSuchSet'))\n")
    with pytest.raises(ConfigError, match='NoSuchSet'):
        source_counts([str(tmp_path / 'odd.py')])


def test_config_whose_data_are_missing_names_them(tmp_path):
    settings = dict(type='CustomDataset', data_root='nowhere', ann_file='list.txt')
    (tmp_path / 'lost.py').write_text(f'train_dataloader = dict(dataset={settings})\n')
    with pytest.raises(DataError, match=r'nowhere/list\.txt'):
        source_counts([str(tmp_path / 'lost.py')])


def test_class_without_images_is_counted_though_only_the_wrapped_annotations_name_it(tmp_path):
    rows = [dict(img_path=f'{label}.jpg', gt_label=label) for label in (0, 0, 1)]
    (tmp_path / 'set.json').write_text(json.dumps(dict(metainfo=dict(classes=['a', 'b', 'c']), data_list=rows)))
    settings = dict(type='mmpretrain.BaseDataset', ann_file=str(tmp_path / 'set.json'), lazy_init=True)
    twice = dict(type='RepeatDataset', times=2, dataset=settings)
    (tmp_path / 'twice.py').write_text(f'train_dataloader = dict(dataset={twice})\n')
    assert source_counts([str(tmp_path / 'twice.py')])['twice.py train'].tolist() == [4, 2, 0]


def test_files_of_one_name_keep_their_folders(tmp_path):
    for folder in ('a', 'b'):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / 'labels.npy', LABELS)
    assert list(source_counts([f'{tmp_path}/a/labels.npy', f'{tmp_path}/b/labels.npy'])) == [
        f'{tmp_path}/a/labels.npy',
        f'{tmp_path}/b/labels.npy',
    ]


def test_groups_are_those_of_the_configs_where_they_agree(sources, tmp_path):
    digits = str(ROOT / 'configs/drl_r8_digits-lt.py')
    usual = dict(many=100, few=20, edges='exclusive')
    assert source_groups([digits, str(sources['npz'])]) == dict(many=60, few=20, edges='exclusive')
    assert source_groups([digits, str(ROOT / 'configs/drl_r32_cifar10-lt.py')]) == usual
    assert source_groups([str(sources['npz'])]) == usual
    config = tmp_path / 'mine.py'
    config.write_text("val_evaluator = dict(type='mmdrl.ShotAccuracy', many=5, few=5, edges='inclusive')")
    assert source_groups([str(config)]) == dict(many=5, few=5, edges='inclusive')


@pytest.mark.slow
def test_tool_prints_draws_and_writes(sources, tmp_path):
    folder = tmp_path / 'empty'
    folder.mkdir()
    answer = tool(
        *('analysis/class_stats', sources['txt.xz'], sources['npz'], ROOT / 'configs/drl_r8_digits-lt.py'),
        *('--out', 'new/figure.png', '--json', 'new/numbers.json', '--many', 120, '--few', 5),
        cwd=folder,
    )
    assert answer.returncode == 0, answer.stdout
    cells = {
        row[1]: row[2:5] for line in answer.stdout.splitlines() if len(row := [c.strip() for c in line.split('│')]) > 4
    }
    assert cells['images'] == ['185', '185', '331']
    assert cells['imbalance ratio'] == ['30', '30', '60']
    assert cells['many classes'] == ['1', '1', '0']
    assert cells['few classes'] == ['0', '0', '2']
    assert (folder / 'new/figure.png').read_bytes().startswith(b'\x89PNG')
    numbers = json.loads((folder / 'new/numbers.json').read_text())
    assert numbers['set.npz']['class_counts'] == [150, 30, 5]
    assert numbers['set.npz']['medium_classes'] == 2


@pytest.mark.slow
@pytest.mark.host
def test_mim_runs_the_tool_and_edges_move_the_groups(sources, tmp_path):
    answer = mim(
        'run', 'mmdrl', 'class_stats', sources['npy'], '--many', 150, '--few', 5, '--edges', 'inclusive', cwd=tmp_path
    )
    assert answer.returncode == 0, answer.stdout
    assert 'many classes    │       1' in answer.stdout
    assert 'few classes     │       1' in answer.stdout


def test_mistake_ends_in_a_sentence(tmp_path):
    status, text = command('analysis/class_stats', 'nowhere.txt', '--out', 'a.png', cwd=tmp_path)
    assert status == 1
    assert text.splitlines()[-1] == 'error: There is no file nowhere.txt.'  # hosts print lines of their own
    assert 'Traceback' not in text
    assert not (tmp_path / 'a.png').exists()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(few=101), '--few at least 0 and not above --many, got 101 and 100'),
        (dict(few=-1), '--few at least 0'),
        (dict(out='counts.xls'), r'--out to end in one of .*\.png.*, got counts\.xls'),
        (dict(out='counts'), 'got counts'),
        (dict(json='./set.npy'), r'--json \./set\.npy would overwrite a source'),
        (dict(out='set.png', sources=['set.png']), r'--out set\.png would overwrite a source'),
        (dict(out='set.npy/counts.png'), r'Writing .*set\.npy/counts\.png failed'),
        (dict(json='set.npy/counts.json'), r'Writing .*set\.npy/counts\.json failed'),
    ],
)
def test_setting_that_cannot_work_is_refused(sources, tmp_path, monkeypatch, changes, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'set.png').write_text('train/a.jpg 0\n')
    settings = dict(sources=['set.npy'], split='train', many=100, few=20, edges='exclusive', out=None, json=None)
    monkeypatch.syspath_prepend(ROOT / 'tools/analysis')
    main = runpy.run_path(str(ROOT / 'tools/analysis/class_stats.py'))['main']
    with pytest.raises(MMDRLError, match=message):
        main(argparse.Namespace(**settings | changes))


@pytest.mark.slow
def test_full_disk_keeps_the_numbers_of_before(sources, tmp_path):
    (tmp_path / 'numbers.json').write_text('before')
    script = f'trap "" XFSZ; ulimit -f 0; exec {sys.executable} -W ignore "$@"'
    answer = run(
        *('bash', '-c', script, '-', ROOT / 'tools/analysis/class_stats.py', sources['npy']),
        *('--json', 'numbers.json'),
        cwd=tmp_path,
        PYTHONUNBUFFERED='1',
    )
    assert answer.returncode == 1
    assert 'error: Writing numbers.json failed: File too large' in answer.stdout
    assert (tmp_path / 'numbers.json').read_text() == 'before'
    assert not (tmp_path / '.numbers.json.part').exists()


@pytest.mark.slow
def test_numbers_may_go_down_a_pipe(sources, tmp_path):
    answer = tool('analysis/class_stats', sources['npy'], '--json', '/dev/stdout', cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    assert '"class_counts"' in answer.stdout


@pytest.mark.parametrize('name', ['prepare_data', 'analysis/class_stats'])
def test_control_c_while_it_starts_is_no_traceback(sources, tmp_path, name):
    (tmp_path / 'mmdrl.py').write_text('raise KeyboardInterrupt')  # the first import of all
    answer = tool(
        name,
        *(['cifar10', '--root', '.'] if name == 'prepare_data' else [sources['npy']]),
        cwd=tmp_path,
        PYTHONPATH=str(tmp_path),
    )
    assert answer.returncode == 130
    assert answer.stdout.startswith('Stopped.')
