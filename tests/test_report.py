"""The numbers and words of a report: means, spreads, pairs, and what may share a table."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from run_folders import write_run

from mmdrl.engine.report.content import report_content
from mmdrl.engine.report.groups import group_runs
from mmdrl.engine.report.paths import short_command, short_path, without_folders
from mmdrl.engine.report.words import signed, summary
from mmdrl.engine.report.write import plain_markdown, write_report
from mmdrl.engine.run_record import RunRecord, read_run
from mmdrl.errors import DataError
from mmdrl.stats.spread import paired_difference, spread


def records(folder: Path, *runs: dict) -> list[RunRecord]:
    return [read_run(write_run(folder / f'run{number}', **run)) for number, run in enumerate(runs)]


def metrics(few: float, every: float = 70.0) -> dict[str, float]:
    return {'many': 90.0, 'medium': 80.0, 'few': few, 'all': every, 'ncm/few': few + 1, 'ncm/all': every + 1}


def test_mean_and_spread_are_those_of_numpy(rng: np.random.Generator) -> None:
    values = rng.normal(50, 10, 7)
    found = spread([*values.tolist(), None, float('nan')])
    assert found.mean == pytest.approx(values.mean())
    assert found.std == pytest.approx(values.std(ddof=1))
    assert found.n == 7
    assert spread([3.0]) == (3.0, None, 1)
    assert spread([None]) is None


def test_pairs_are_those_of_a_loop_over_common_seeds(rng: np.random.Generator) -> None:
    one = dict(enumerate(rng.normal(50, 3, 6).tolist()))
    other = {seed + 2: value for seed, value in enumerate(rng.normal(45, 3, 6).tolist())}
    gaps = np.array([one[seed] - other[seed] for seed in (2, 3, 4, 5)])
    found = paired_difference(one, other)
    assert found.n == 4
    assert found.mean == pytest.approx(gaps.mean())
    assert found.error == pytest.approx(gaps.std(ddof=1) / np.sqrt(4))
    assert paired_difference(one, {9: 1.0}) is None
    assert paired_difference({0: 1.0, 1: None}, {0: 0.5, 1: 2.0}) == (0.5, None, (0,))


@pytest.mark.parametrize(
    ('gaps', 'is_noise'),
    [
        ([1.0, -1.0, 0.5], True),  # 0.17 +- 0.6
        ([5.0, 6.0, 7.0], False),  # 6 +- 0.6
        ([2.0, 4.0, 0.0], True),  # 2 +- 1.15
        ([0.0, 0.0, 0.0], True),
        ([1.0, 1.0, 1.0], False),
        ([5.0, 5.5], None),  # two are too few to claim anything
        ([5.0], None),
        ([-1.0, 1.0], True),
    ],
)
def test_noise_is_what_lies_below_two_standard_errors(gaps: list[float], is_noise: bool | None) -> None:
    found = paired_difference(dict(enumerate(gaps)), dict.fromkeys(range(len(gaps)), 0.0))
    assert found.is_noise is is_noise


def test_runs_that_differ_in_the_seed_alone_are_one_group(tmp_path: Path) -> None:
    groups, notes = group_runs(records(tmp_path, *(dict(metrics=metrics(40.0 + s), seed=s) for s in range(3))))
    assert [group.name for group in groups] == ['drl_small']
    assert groups[0].by_seed('few') == {0: 40.0, 1: 41.0, 2: 42.0}
    assert groups[0].spread('few') == (41.0, 1.0, 3)
    assert groups[0].spread('few', 'feature') == (41.0, 1.0, 3)
    assert notes == []


def test_same_name_with_another_setting_is_not_pooled_and_said(tmp_path: Path) -> None:
    runs = [dict(metrics=metrics(40.0), seed=0), dict(metrics=metrics(41.0), seed=1, lr=0.5)]
    groups, notes = group_runs(records(tmp_path, *runs))
    assert [group.name for group in groups] == ['drl_small, lr=0.1', 'drl_small, lr=0.5']
    assert notes == [
        'drl_small is the name of 2 different configs, which are not pooled. They differ in '
        'optim_wrapper.optimizer.lr: 0.1 | 0.5.'
    ]


def test_another_total_batch_is_another_group(tmp_path: Path) -> None:
    runs = [dict(metrics=metrics(40.0)), dict(metrics=metrics(41.0), seed=1, total_batch_size=64)]
    assert len(group_runs(records(tmp_path, *runs))[0]) == 2


def test_a_seed_twice_counts_once(tmp_path: Path) -> None:
    runs = [dict(metrics=metrics(few), seed=seed) for few, seed in ((40.0, 0), (44.0, 0), (50.0, 1))]
    groups, notes = group_runs(records(tmp_path, *runs))
    assert groups[0].by_seed('few') == {0: 42.0, 1: 50.0}
    assert groups[0].spread('few').n == 2
    assert 'seed 0 in 2 runs (run0, run1)' in notes[0]


@pytest.mark.parametrize(
    'change', [dict(class_counts=[90, 30, 5]), dict(shot_groups=dict(many=50, few=20)), dict(data='data/b')]
)
def test_other_data_or_edges_stand_in_a_section_of_their_own(tmp_path: Path, change: dict) -> None:
    runs = [dict(metrics=metrics(40.0)), dict(metrics=metrics(41.0), config='ce_small', **change)]
    content = report_content(records(tmp_path, *runs))
    assert len(content.sections) == 2
    assert all(len(section.tables[0].rows) == 2 for section in content.sections)  # linear and ncm of one group
    assert any('do not compare' in note for note in content.notes)


def test_summary_claims_a_gain_only_beyond_the_noise(tmp_path: Path) -> None:
    pairs = [
        ('ce_small', (40.0, 41.0, 43.0), (70.0, 71.0, 72.0)),
        ('drl_small', (50.0, 52.0, 53.0), (72.0, 70.0, 72.5)),
    ]
    runs = [
        dict(metrics=metrics(few, every), seed=seed, config=name)
        for name, fews, everys in pairs
        for seed, (few, every) in enumerate(zip(fews, everys, strict=True))
    ]
    text = ' '.join(summary(group_runs(records(tmp_path, *runs))[0]))
    assert 'ce_small gets 71.0 ± 1.0 % of all images right and 41.3 ± 1.5 % of those of few-shot classes' in text
    assert 'drl_small less ce_small on the same seeds: +10.3 ± 0.3 points in few; ' in text  # gaps 10, 11, 10
    assert '+0.5 ± 0.9 points in all, within the noise' in text  # gaps 2, -1, 0.5
    assert 'With fewer than 5 seeds' in text


def test_single_runs_show_no_spread_and_claim_nothing(tmp_path: Path) -> None:
    runs = [dict(metrics=metrics(40.0)), dict(metrics=metrics(60.0), config='ce_small')]
    content = report_content(records(tmp_path, *runs))
    accuracies, gaps = content.sections[0].tables[:2]
    assert accuracies.rows[0] == ['drl_small, linear', '90.0', '80.0', '40.0', '70.0', '1']
    assert gaps.rows[0] == ['ce_small less drl_small, linear', '+0.0', '+0.0', '+20.0', '+0.0', '1']
    assert '+20.0 points in few, which one seed cannot tell from chance' in ' '.join(content.sections[0].summary)


def test_equal_numbers_are_no_difference(tmp_path: Path) -> None:
    few = [(40.0, 50.0), (41.0, 52.0), (43.0, 53.0)]
    runs = [
        dict(metrics=metrics(value), seed=seed, config=name)
        for seed, pair in enumerate(few)
        for name, value in zip(('ce_small', 'drl_small'), pair, strict=True)
    ]
    groups, _ = group_runs(records(tmp_path, *runs))
    assert summary(groups)[2] == (
        'drl_small less ce_small on the same seeds: +10.3 ± 0.3 points in few; no difference in all and many.'
    )
    assert len(summary(groups)) == 4  # one item per group, one per pair, one about the seeds


def test_rounding_is_no_difference_and_zero_has_no_minus() -> None:
    gap = paired_difference(dict(enumerate([0.3, 0.3, 0.3])), dict(enumerate([0.1 + 0.2] * 3)))
    assert gap is not None
    assert gap.is_noise
    assert signed(paired_difference({0: 10.0, 1: 9.0}, {0: 10.5, 1: 8.55})) == '+0.0 ± 0.5'  # their mean is -0.025


def change_config(folder: Path, stages: list[dict[str, Any]], dr_loss: dict[str, Any] | None) -> None:
    """Change what the run has dumped."""
    for path in folder.rglob('*.py'):
        cfg = Config.fromfile(path)
        cfg.default_hooks.stages.stages = stages
        cfg.model = dict(head=dict(dr_loss=dr_loss))
        cfg.dump(path)


def test_stages_are_told_in_words(tmp_path: Path) -> None:
    stages = [
        dict(name='warm-up', epochs=2, loss_weights=dict(loss_dr=0)),
        dict(name='classifier', epochs=1, freeze='backbone', head=dict(fc=dict(scale=2.0)), mixing=False, lr=0.01),
    ]
    folder = write_run(tmp_path / 'run', metrics(40.0), stages={'warm-up': metrics(30.0), 'classifier': metrics(40.0)})
    change_config(folder, stages, dict(type='mmdrl.DRLoss'))
    plan, accuracies = report_content([read_run(folder)]).sections[0].stages[0][1]
    assert [dict(zip(plan.head, row, strict=True)) for row in plan.rows] == [
        {'stage': 'warm-up', 'epochs': '1 to 2', 'mixing': '-', 'head': '-', 'loss weights': 'loss_dr 0'}
        | {'frozen': '-', 'learning rate': '-'},
        {'stage': 'classifier', 'epochs': '3', 'mixing': 'none', 'head': 'fc.scale=2', 'loss weights': '-'}
        | {'frozen': 'backbone', 'learning rate': '0.01'},
    ]
    assert accuracies.head == ['stage', 'many', 'medium', 'few', 'all']
    assert [row[0] for row in accuracies.rows[:2]] == ['warm-up, linear', 'classifier, linear']
    assert accuracies.rows[2] == ['warm-up, ncm', '-', '-', '31.0', '71.0']


def test_stages_tell_nothing_of_a_loss_that_is_not_there(tmp_path: Path) -> None:
    folder = write_run(tmp_path / 'run', metrics(40.0))
    stages = [dict(name='warm-up', epochs=2, loss_weights=dict(loss_dr=0)), dict(name='classifier', epochs=1, lr=0.1)]
    change_config(folder, stages, None)
    plan = report_content([read_run(folder)]).sections[0].stages[0][1][0]
    assert plan.head == ['stage', 'epochs', 'learning rate']


def test_maps_that_the_run_has_drawn_are_shown(tmp_path: Path) -> None:
    folder = write_run(tmp_path / 'run', metrics(40.0))
    (folder / 'figures').mkdir()
    Image.new('RGB', (30, 20)).save(folder / 'figures/feature_map.png')
    (folder / 'figures/tsne.png').write_bytes(b'damaged')
    content = report_content([read_run(folder)])
    maps = [(entry.name, entry.width) for entry in content.pictures if entry.name.endswith(('_map', 'tsne'))]
    assert maps == [('data1-group1-feature_map', 30)]


def test_groups_without_a_common_seed_are_not_compared(tmp_path: Path) -> None:
    runs = [dict(metrics=metrics(40.0), seed=0), dict(metrics=metrics(60.0), seed=1, config='ce_small')]
    groups, _ = group_runs(records(tmp_path, *runs))
    assert 'share no seed' in ' '.join(summary(groups))


def test_empty_group_is_a_dash(tmp_path: Path) -> None:
    content = report_content(records(tmp_path, dict(metrics=dict(metrics(40.0), medium=None))))
    assert content.sections[0].tables[0].rows[0][2] == '-'


def test_unfinished_run_stands_beside_the_others_and_is_not_pooled(tmp_path: Path) -> None:
    runs = [dict(metrics=metrics(40.0)), dict(metrics=metrics(48.0), seed=1, is_finished=False)]
    content = report_content(records(tmp_path, *runs))
    assert len(content.sections) == 1
    rows = content.sections[0].tables[0].rows
    assert [row[0] for row in rows][::2] == ['drl_small, linear', 'drl_small, unfinished (run1), linear']
    assert rows[2][3] == '48.0'
    assert any(note.startswith('run1: There is no results.json') for note in content.notes)
    assert content.runs.rows[1][5] == '4 of 4'


def test_representation_of_a_run_is_shown_if_its_folder_has_one(tmp_path: Path) -> None:
    (record,) = records(tmp_path, dict(metrics=metrics(40.0)))
    report = dict(accuracy=dict(ncm=dict(few=51.25)), classes={}, overall={}, collapse={}, per_class={})
    (record.folder / 'representation.json').write_text(json.dumps({'epoch_4.pth': report}))
    (table,) = report_content([record]).sections[0].representation
    assert table.head == ['', 'drl_small']
    assert table.rows == [['nearest class mean, few', '51.2']]


def test_unfinished_runs_are_not_pooled_with_each_other(tmp_path: Path) -> None:
    runs = [dict(metrics=metrics(40.0), seed=seed, is_finished=False) for seed in (0, 1)]
    groups, _ = group_runs(records(tmp_path, *runs))
    assert [group.name for group in groups] == ['drl_small, unfinished (run0)', 'drl_small, unfinished (run1)']


@pytest.mark.parametrize(
    ('text', 'short'),
    [
        ('/home/a b/project/configs/x.py', 'configs/x.py'),
        ('/mnt/disk 1/data/imagenet', 'data/imagenet'),
        ('/mnt/imagenet', 'imagenet'),
        ('/a/work_dirs/x/work_dirs/y.pth', 'work_dirs/y.pth'),
        ('relative/path.py', 'relative/path.py'),
        ('ncm/few', 'ncm/few'),
    ],
)
def test_paths_lose_the_folders_of_the_machine(text: str, short: str) -> None:
    assert short_path(text) == short
    assert without_folders([dict(key=text)]) == [dict(key=short)]


def test_addresses_and_shares_stay_while_paths_in_texts_go() -> None:
    text = 'see https://example.org/a/b/c and /home/me/x/notes.txt, 3/4 of ~/secret/y'
    assert without_folders(text) == 'see https://example.org/a/b/c and notes.txt, 3/4 of y'
    command = "/home/me/p/tools/train.py '/home/me/my p/configs/x.py' --cfg-options a.b=/mnt/z/q --work-dir /tmp/w d"
    assert short_command(command) == 'python tools/train.py configs/x.py --cfg-options a.b=q --work-dir w d'


def test_markdown_keeps_text_what_it_is() -> None:
    assert plain_markdown('a|b <script>\n*x* [l](u) `c` &amp;') == (r'a\|b \<script\> \*x\* \[l\](u) \`c\` &amp;amp;')


def test_foreign_files_are_never_overwritten(tmp_path: Path) -> None:
    run = write_run(tmp_path / 'run', metrics(40.0))
    before = sorted(path.relative_to(run) for path in run.rglob('*'))
    with pytest.raises(DataError, match='also holds'):
        write_report([run], run)
    with pytest.raises(DataError, match='got the file'):
        write_report([run], run / 'results.json')
    assert sorted(path.relative_to(run) for path in run.rglob('*')) == before
