"""A published model is the model of the run: it loads everywhere, measures the same, and says where it is from."""

import json
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from digits_run import short_config, train
from mmpretrain import get_model

from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.config import load_config
from mmdrl.engine.publish import Published, publish
from mmdrl.engine.publish.origin import shown_command
from mmdrl.engine.publish.place import move_all
from mmdrl.engine.publish.row import known_row
from mmdrl.engine.rebalance import Rule, rebalance
from mmdrl.engine.run import evaluate, train_model
from mmdrl.errors import ConfigError, DataError
from mmdrl.hashed_files import alone

pytestmark = pytest.mark.host
ONE_STAGE = [dict(name='only', epochs=2)]
LWS = dict(classifier=dict(type='mmdrl.LWSClassifier'))
COUNTS = [120, 77, 50, 32, 21, 13, 8, 5, 3, 2]


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One stage with learned radii, which a checkpoint must hold."""
    radius = dict(type='mmdrl.LearnedRadius', _delete_=True)
    folder = tmp_path_factory.mktemp('runs') / 'run'
    train(short_config(folder, ONE_STAGE, **{'model.head.dr_loss.radius': radius}))
    return folder


@pytest.fixture(scope='module')
def published(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
    return publish(run, tmp_path_factory.mktemp('out'), check=True, url_prefix='https://example.org/models/')


def results_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / 'results.json').read_text())


def code_of(card: Path) -> str:
    """What the card says to do in a program."""
    return re.search(r'```python\n(from mmpretrain.*?)```', card.read_text(), re.DOTALL)[1]


def test_file_is_named_by_its_hash_and_day(published: Published, run: Path) -> None:
    file = published.files['checkpoint']
    assert sha256(file.read_bytes()).hexdigest() == published.sha256
    day = read_checkpoint(str(run / 'epoch_2.pth'))['meta']['time'][:8]
    name, found, digits = re.fullmatch(r'(.*)_(\d{8})-(\w{8})\.pth', file.name).groups()
    assert (name, digits) == ('drl_r8_digits-lt', published.sha256[:8])
    assert abs(int(found) - int(day)) <= 100  # local day and day of UTC, at the end of a month at worst
    assert {path.name.removeprefix(file.stem) for path in file.parent.iterdir()} == {
        *('.pth', '.py', '.md', '.yml', '.log.json')
    }


def test_file_is_plain_data_of_the_model_alone(published: Published, run: Path) -> None:
    content = torch.load(published.files['checkpoint'], weights_only=True)
    saved = read_checkpoint(str(run / 'epoch_2.pth'))['state_dict']
    assert set(content) == {'meta', 'state_dict', 'class_counts'}
    assert set(saved) - set(content['state_dict']) == {
        f'head.centroids.sums.{x}' for x in ('mean', 'variance', 'counts')
    }
    assert all(torch.equal(value, saved[name]) for name, value in content['state_dict'].items())
    assert any('radius' in name for name in saved)
    assert json.loads(json.dumps(content['meta'])) == content['meta']
    assert content['meta']['metrics'] == results_of(run)['metrics']
    assert content['meta']['dataset_meta']['classes'] == list('0123456789')
    assert content['class_counts'] == COUNTS
    assert str(run) not in str(content['meta'])


def test_publishing_a_copied_run_again_gives_the_same_bytes(run: Path, published: Published, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / 'moved')
    publish(tmp_path / 'moved', tmp_path / 'one', url_prefix='https://example.org/models')
    # A test in the same folder leaves the config of the test there.
    (tmp_path / 'moved/drl_r8_digits-lt.py').write_text("model = dict(type='ImageClassifier')")
    publish(tmp_path / 'moved', tmp_path / 'two', url_prefix='https://example.org/models')
    publish(tmp_path / 'moved', tmp_path / 'two', url_prefix='https://example.org/models')  # once more changes nothing
    for path in (tmp_path / 'one').iterdir():
        assert path.read_bytes() == (tmp_path / 'two' / path.name).read_bytes()
    file = published.files['checkpoint']
    assert (tmp_path / 'one' / file.name).read_bytes() == file.read_bytes()


def test_other_content_is_not_overwritten(run: Path, tmp_path: Path) -> None:
    files = publish(run, tmp_path).files
    files['card'].write_text('mine')
    files['checkpoint'].unlink()
    with pytest.raises(DataError, match=r'\.md is there already.*Nothing was written'):
        publish(run, tmp_path)
    assert files['card'].read_text() == 'mine'
    assert not files['checkpoint'].exists()


def test_file_tests_like_the_run_and_loads_strictly(published: Published, run: Path, tmp_path: Path) -> None:
    config, file = (str(published.files[kind]) for kind in ('config', 'checkpoint'))
    assert published.metrics == results_of(run)['metrics']
    cfg = load_config(config, work_dir=str(tmp_path / 'test'))
    assert evaluate(cfg, file) == pytest.approx(published.metrics, abs=0, nan_ok=True)
    model = get_model(config, pretrained=file)
    loaded = read_checkpoint(str(run / 'epoch_2.pth'))['state_dict']
    assert all(torch.equal(value, loaded[name]) for name, value in model.state_dict().items() if '.sums.' not in name)
    model.load_state_dict(read_checkpoint(file)['state_dict'], strict=True)
    assert model._dataset_meta['classes'] == list('0123456789')


@pytest.mark.parametrize('averaged', [False, True])
def test_training_begins_with_the_file_without_complaint(
    published: Published, tmp_path: Path, averaged: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    hooks = [dict(type='EMAHook', strict_load=True)] if averaged else []
    cfg = load_config(str(published.files['config']), work_dir=str(tmp_path / 'run'))
    cfg.merge_from_dict(dict(load_from=str(published.files['checkpoint']), custom_hooks=hooks, log_level='WARNING'))
    runner = train(cfg)
    assert runner.epoch == 2
    assert 'do not match' not in ''.join(capfd.readouterr())


def test_training_does_not_resume_from_the_file(published: Published, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'holds a model only.*load_from'):
        train_model(short_config(tmp_path / 'run', ONE_STAGE), resume=str(published.files['checkpoint']))


def test_card_says_what_the_run_was(published: Published, run: Path) -> None:
    card = published.files['card'].read_text()
    results = results_of(run)
    few = '-' if results['metrics']['few'] is None else f'{results["metrics"]["few"]:.1f}'
    assert re.search(rf'\| linear \| [\d.]+ \| [\d.]+ \| {few} \| {results["metrics"]["all"]:.1f} \|', card)
    for part in (published.sha256, results['versions']['torch'], results['cpu'], '| seed | 0 |', '| epochs | 2 |'):
        assert part in card
    assert '| images | 331 |' in card
    assert 'the last of the run' in card
    assert 'trained on Digits' in card
    assert 'Validation and test set have the same images.' in card
    assert 'tested afresh' in card
    assert str(run) not in card
    lines = published.files['log'].read_text().splitlines()
    assert [json.loads(line)['epoch'] for line in lines if 'loss' in line] == [1, 2]


def test_changed_config_is_not_given_out_for_the_one_of_its_name(published: Published) -> None:
    row = yaml.safe_load(published.files['metafile'].read_text())['Models'][0]
    name = published.files['checkpoint'].stem
    assert row == published.row
    assert (row['Name'], row['Config']) == (name, f'{name}.py')
    assert row['Weights'] == f'https://example.org/models/{name}.pth'
    assert any('has changed the config drl_r8_digits-lt of mmdrl' in note for note in published.notes)
    assert row['Results'][0]['Metrics']['Top 1 Accuracy'] == round(published.metrics['all'], 2)


def test_numbers_that_do_not_come_out_again_stop_it(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / 'run')
    results = results_of(run)
    results['metrics']['all'] += 0.2
    (tmp_path / 'run/results.json').write_text(json.dumps(results))
    with pytest.raises(DataError, match=r'all is [\d.]+, not [\d.]+ \(-0\.2\)\. Nothing was published'):
        publish(tmp_path / 'run', tmp_path / 'out', check=True)
    assert not list((tmp_path / 'out').iterdir())
    results['devices'] *= 2
    (tmp_path / 'run/results.json').write_text(json.dumps(results))
    notes = publish(tmp_path / 'run', tmp_path / 'two', check=True).notes
    assert any(note.startswith('Tested in one process, trained in 2: all is') for note in notes)
    results['cpu'] = 'another'
    (tmp_path / 'run/results.json').write_text(json.dumps(results))
    notes = publish(tmp_path / 'run', tmp_path / 'out', check=True).notes
    assert any('another kind of machine' in note and '(-0.2)' in note for note in notes)


def test_head_of_a_stage_is_rebuilt_by_the_test_and_by_the_code_of_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = [dict(name='one', epochs=1), dict(name='two', epochs=1, head=LWS, freeze=['backbone', 'head.fc.weight'])]
    train(short_config(tmp_path / 'run', stages))
    found = publish(tmp_path / 'run', tmp_path / 'out', check=True)
    assert found.metrics == results_of(tmp_path / 'run')['metrics']
    state = read_checkpoint(str(tmp_path / 'run/epoch_2.pth'))['state_dict']
    assert not torch.equal(state['head.fc.scale'], torch.ones(10))
    monkeypatch.chdir(tmp_path / 'out')
    names: dict[str, Any] = {}
    exec(code_of(found.files['card']), names)
    loaded = names['model'].state_dict()
    assert set(loaded) == set(state)
    assert all(torch.equal(value, state[name]) for name, value in loaded.items() if '.sums.' not in name)


def test_loss_of_the_config_takes_the_place_of_that_of_a_stage(tmp_path: Path) -> None:
    """SeesawLoss gathers class counts in a buffer, cross-entropy has none."""
    stages = [dict(name='one', epochs=1), dict(name='two', epochs=1, loss=dict(type='CrossEntropyLoss'))]
    loss = {'model.head.loss': dict(type='SeesawLoss', num_classes=10, _delete_=True)}
    train(short_config(tmp_path / 'run', stages, **loss))
    file = publish(tmp_path / 'run', tmp_path / 'out', check=True).files['checkpoint']
    state = read_checkpoint(str(file))['state_dict']
    assert state['head.loss_module.cum_samples'].sum() == pytest.approx(331, abs=1)


def test_averaged_weights_are_the_published_ones(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'run', ONE_STAGE, custom_hooks=[dict(type='EMAHook', momentum=0.01)])
    runner = train(cfg)
    found = publish(tmp_path / 'run', tmp_path / 'out', check=True)
    assert found.metrics == results_of(tmp_path / 'run')['metrics']
    state = read_checkpoint(str(found.files['checkpoint']))['state_dict']
    averaged = next(hook.ema_model.module for hook in runner.hooks if type(hook).__name__ == 'EMAHook')
    assert torch.equal(state['head.fc.weight'], averaged.head.fc.weight)
    assert not torch.equal(state['head.fc.weight'], runner.model.head.fc.weight)


def test_checkpoint_that_is_not_the_last_is_measured_and_told(run: Path, tmp_path: Path) -> None:
    cfg = load_config(str(run / 'drl_r8_digits-lt.py'), work_dir=str(tmp_path / 'no'))
    outcome = rebalance(cfg, str(run / 'epoch_2.pth'), [Rule('tau-norm', 1.0)], out=tmp_path / 'new.pth')
    found = publish(run, tmp_path / 'out', checkpoint=tmp_path / 'new.pth', name='mine', date='20260102')
    card = found.files['card'].read_text()
    assert (
        read_checkpoint(str(found.files['checkpoint']))['meta']['metrics'] is None
    )  # those of the run are not its own
    assert found.metrics['all'] == outcome.results[outcome.best]['all']
    assert f'rebalanced by {outcome.best.name}' in card
    assert 'accuracy on them is optimistic' in card
    assert found.files['checkpoint'].name == f'mine_20260102-{found.sha256[:8]}.pth'
    earlier = publish(run, tmp_path / 'out', checkpoint=run / 'epoch_1.pth')
    assert '`epoch_1.pth`, one of the run that is not its last' in earlier.files['card'].read_text()


def test_test_set_of_its_own_is_reported_and_validation_beside_it(tmp_path: Path) -> None:
    train(short_config(tmp_path / 'run', ONE_STAGE, **{'test_dataloader.dataset.part': 'train'}))
    found = publish(tmp_path / 'run', tmp_path / 'unchecked')
    assert 'Results' not in found.row
    assert 'Validation set, at the end of training:' in found.files['card'].read_text()
    found = publish(tmp_path / 'run', tmp_path / 'checked', check=True)
    validated = results_of(tmp_path / 'run')['metrics']['all']
    card = found.files['card'].read_text()
    assert found.metrics['all'] != validated
    assert found.row['Results'][0]['Metrics']['Top 1 Accuracy'] == round(found.metrics['all'], 2)
    assert (
        card.index(f' {found.metrics["all"]:.1f} |')
        < card.index('Validation set, at the end')
        < card.index(f' {validated:.1f} |')
    )


def test_run_of_a_shipped_config_has_its_row() -> None:
    """An alias stands for the row of the config that it inherits."""
    assert known_row('drl_r8_digits-lt')['Config'] == 'configs/digits_lt/drl_r8_digits-lt-ir50.py'
    assert known_row('ce_r8_digits-lt-ir50')['Name'] == 'ce_r8_digits-lt-ir50'
    assert known_row('mine') is None


def without(name: str) -> Any:
    return lambda folder: (folder / name).unlink()


def last_is(name: str) -> Any:
    return lambda folder: (folder / 'last_checkpoint').write_text(f'/elsewhere/{name}')


@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (without('results.json'), 'results of a finished run'),
        (without('epoch_2.pth'), r'epoch_2\.pth, found none'),
        (without('drl_r8_digits-lt.py'), 'Expected the config that the run was trained by in .*, found none'),
        (last_is('epoch_1.pth'), r'another run was begun in the folder'),
        (lambda folder: (folder / 'epoch_2.pth').write_bytes(b'half'), r'epoch_2\.pth is no whole checkpoint'),
        (lambda folder: torch.save({'state_dict': {}}, folder / 'epoch_2.pth'), 'does not belong to this config'),
        (lambda folder: torch.save({'meta': {}}, folder / 'epoch_2.pth'), 'got no such thing'),
    ],
)
def test_run_that_is_not_whole_is_refused(run: Path, tmp_path: Path, damage: Any, message: str) -> None:
    shutil.copytree(run, tmp_path / 'run')
    damage(tmp_path / 'run')
    with pytest.raises((ConfigError, DataError), match=message):
        publish(tmp_path / 'run', tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(name='a/b'), '--name of letters'),
        (dict(name=''), '--name of letters'),
        (dict(date='2026-01-02'), '--date as YYYYMMDD'),
        (dict(date='20260231'), '--date as YYYYMMDD'),
        (dict(url_prefix='ftp://host'), '--url-prefix like https'),
        (dict(url_prefix='https://host/a?b=1'), '--url-prefix like https'),
        (dict(url_prefix='https://me:secret@host/a'), '--url-prefix like https'),
        (dict(url_prefix='https://host:port/a'), '--url-prefix like https'),
    ],
)
def test_bad_argument_is_refused(run: Path, tmp_path: Path, settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        publish(run, tmp_path / 'out', **settings)
    assert not (tmp_path / 'out').exists()


def test_checkpoint_of_another_model_is_refused(run: Path, tmp_path: Path) -> None:
    content = read_checkpoint(str(run / 'epoch_2.pth'))
    content['state_dict']['neck.more'] = torch.zeros(1)
    torch.save(content, tmp_path / 'other.pth')
    with pytest.raises(DataError, match=r'other\.pth has neck\.more'):
        publish(run, tmp_path / 'out', checkpoint=tmp_path / 'other.pth')


def test_folder_that_cannot_be_written_to_is_named(run: Path, tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    with pytest.raises(DataError, match=r'Writing into .*file failed'):
        publish(run, tmp_path / 'file')


def test_disk_that_is_full_at_the_last_file_leaves_none(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def full(source: Any, target: Any) -> None:
        if Path(target).parent == tmp_path / 'out' and Path(target).suffix == '.pth':
            raise OSError(28, 'No space left on device')
        rename(source, target)

    monkeypatch.setattr(os, 'rename', full)
    with pytest.raises(DataError, match='failed: No space left'):
        publish(run, tmp_path / 'out')
    assert not list((tmp_path / 'out').iterdir())


def test_results_of_a_later_epoch_are_not_given_for_an_earlier_checkpoint(tmp_path: Path) -> None:
    """As when a run stops early, or does not save its end."""
    saved = {'default_hooks.checkpoint.interval': 2, 'default_hooks.checkpoint.save_last': False}
    train(short_config(tmp_path / 'run', [dict(name='only', epochs=3)], **saved))
    assert results_of(tmp_path / 'run')['checkpoint'].endswith('epoch_2.pth')
    found = publish(tmp_path / 'run', tmp_path / 'out')
    epoch_2 = evaluate(
        load_config(str(tmp_path / 'run/drl_r8_digits-lt.py'), work_dir=str(tmp_path / 'test')),
        str(tmp_path / 'run/epoch_2.pth'),
    )
    assert epoch_2 != results_of(tmp_path / 'run')['metrics']
    assert found.metrics == epoch_2
    assert found.row['Results'][0]['Metrics']['Top 1 Accuracy'] == round(epoch_2['all'], 2)
    assert read_checkpoint(str(found.files['checkpoint']))['meta']['metrics'] is None
    assert '`epoch_2.pth`, saved before the end of the run' in found.files['card'].read_text()


def test_checkpoint_of_a_run_with_another_seed_is_refused(run: Path, tmp_path: Path) -> None:
    train(short_config(tmp_path / 'other', ONE_STAGE, **{'randomness.seed': 7}))
    with pytest.raises(DataError, match=r'epoch_2\.pth is of a run with seed 7, .*results\.json of one with seed 0'):
        publish(run, tmp_path / 'out', checkpoint=tmp_path / 'other/epoch_2.pth')


def test_checkpoints_in_a_folder_of_their_own_are_found(tmp_path: Path) -> None:
    apart = {'default_hooks.checkpoint.out_dir': str(tmp_path / 'apart')}
    train(short_config(tmp_path / 'run', ONE_STAGE, **apart))
    found = publish(tmp_path / 'run', tmp_path / 'out')
    assert 'the last of the run' in found.files['card'].read_text()


def test_log_of_another_attempt_in_the_folder_is_left_out(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / 'run')
    for stamp in ('19990101_000000', '29990101_000000'):  # before and after, which MMEngine lets lie
        (tmp_path / f'run/{stamp}/vis_data').mkdir(parents=True)
        (tmp_path / f'run/{stamp}/vis_data/scalars.json').write_text('{"loss": 99.0, "step": 1}\n')
    log = publish(tmp_path / 'run', tmp_path / 'out').files['log'].read_text()
    assert [json.loads(line)['epoch'] for line in log.splitlines() if 'loss' in line] == [1, 2]


def test_other_total_batch_is_a_change_of_the_config(run: Path, tmp_path: Path) -> None:
    assert not [note for note in publish(run, tmp_path / 'one').notes if 'total batch' in note]
    shutil.copytree(run, tmp_path / 'run')
    results = results_of(run) | dict(total_batch_size=64, devices=['cpu', 'cpu'])
    (tmp_path / 'run/results.json').write_text(json.dumps(results))
    notes = publish(tmp_path / 'run', tmp_path / 'two').notes
    assert any('total batch size 64 in place of 32' in note for note in notes)


@pytest.mark.parametrize(
    ('typed', 'shown'),
    [
        ('/w/tools/train.py configs/x.py --work-dir /w/runs', 'python tools/train.py configs/x.py'),
        ('/home/me/study/fit.py --lr 3', 'python fit.py --lr 3'),
        ('/w/tools/train.py /home/me/study/x.py', "python tools/train.py '~/study/x.py'"),
        ('/w/tools/train.py x.py r=/home/meyer/data', 'python tools/train.py x.py r=/home/meyer/data'),
        ('/w/tools/train.py x.py r=/home/me/data', "python tools/train.py x.py 'r=~/data'"),
    ],
)
def test_command_is_shown_as_others_would_type_it(typed: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', '/home/me')
    assert shown_command(typed) == shown


def test_home_that_is_the_root_leaves_the_command_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', '/')
    assert shown_command('/w/tools/train.py x.py r=data/x') == 'python tools/train.py x.py r=data/x'


def test_two_that_publish_into_one_folder_take_turns(tmp_path: Path) -> None:
    (tmp_path / 'made').mkdir()
    made = [tmp_path / 'made/a.md', tmp_path / 'made/b.pth']
    for path in made:
        path.write_text('ours')
    with ThreadPoolExecutor() as pool:
        with alone(tmp_path):
            later = pool.submit(move_all, made, tmp_path)
            with pytest.raises(TimeoutError):
                later.result(timeout=0.3)
            (tmp_path / 'b.pth').write_text('theirs')
        with pytest.raises(DataError, match=r'b\.pth is there already'):
            later.result()
    assert (tmp_path / 'b.pth').read_text() == 'theirs'
    assert not (tmp_path / 'a.md').exists()
