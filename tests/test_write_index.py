"""tools/dev/write_index.py keeps the model index and the READMEs of the configs up to date, and says what it needs."""

import importlib
import logging
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from command import ROOT, run

pytestmark = pytest.mark.host


def tool() -> ModuleType:
    """``tools/dev/write_index.py``, which finds its neighbours as if it were run."""
    folder = str(ROOT / 'tools/dev')
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module('write_index')


@pytest.mark.slow
def test_what_is_written_is_up_to_date(tmp_path: Path) -> None:
    answer = run(sys.executable, '-W', 'ignore', ROOT / 'tools/dev/write_index.py', '--check', cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two configs, and the tool that looks at it."""
    module = tool()
    for name in ('index_facts', 'write_index'):
        monkeypatch.setattr(sys.modules[name], 'ROOT', tmp_path)
    folder = tmp_path / 'configs/digits_lt'
    folder.mkdir(parents=True)
    for method in ('ce', 'drl'):
        text = (ROOT / f'configs/digits_lt/{method}_r8_digits-lt-ir50.py').read_text()
        (folder / f'{method}_r8_digits-lt-ir50.py').write_text(text)
    (tmp_path / 'configs/_base_').symlink_to(ROOT / 'configs/_base_', target_is_directory=True)
    (tmp_path / 'benchmarks').symlink_to(ROOT / 'benchmarks', target_is_directory=True)
    texts = sys.modules['index_texts']
    (folder / 'README.md').write_text(f'# Digits\n\nBefore.\n\n{texts.BEGIN}\n{texts.END}\n\nAfter.\n')
    module.main(arguments(check=False))
    return tmp_path


def arguments(**values: Any) -> Any:
    return type('Arguments', (), values)


def test_logging_is_left_as_it_was(small_tree: Path) -> None:
    assert logging.root.manager.disable == logging.NOTSET


def test_check_names_what_is_out_of_date_and_writes_nothing(
    small_tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = small_tree / 'configs/digits_lt/README.md'
    written = readme.read_text()
    assert written.startswith('# Digits\n\nBefore.\n')
    assert written.endswith('\n\nAfter.\n')
    tool().main(arguments(check=True))
    readme.write_text(written.replace('75,002', '75,003', 1))
    capsys.readouterr()
    with pytest.raises(SystemExit, match=r'error: .* Run python tools/dev/write_index\.py'):
        tool().main(arguments(check=True))
    assert capsys.readouterr().out == 'out of date: configs/digits_lt/README.md\n'
    assert '75,003' in readme.read_text()
    tool().main(arguments(check=False))
    assert readme.read_text() == written


def test_published_weights_and_their_results_stay_where_they_were_entered(small_tree: Path) -> None:
    path = small_tree / 'configs/digits_lt/metafile.yml'
    content = yaml.safe_load(path.read_text())
    address = 'https://example.org/ce_r8_digits-lt-ir50_20261121-01234567.pth'
    results = [dict(Task='Image Classification', Dataset='Digits-LT', Metrics={'Top 1 Accuracy': 80.0})]
    published = next(row for row in content['Models'] if row['Name'].startswith('ce_'))
    published.update(Weights=address, Results=results)
    path.write_text(yaml.safe_dump(content))
    tool().main(arguments(check=False))
    rows = yaml.safe_load(path.read_text())['Models']
    assert {row['Name']: row.get('Weights') for row in rows} == {
        'drl_r8_digits-lt-ir50': None,
        'ce_r8_digits-lt-ir50': address,
    }
    assert [row['Results'] == results for row in rows] == [False, True]


MISTAKES = {
    'no marks': ('README.md', lambda text: '# Digits\n', 'must have a line .*: the table goes between'),
    'no comment': ('ce_r8_digits-lt-ir50.py', lambda text: text.partition('\n')[2], 'must begin with a comment'),
}


@pytest.mark.parametrize(('file', 'spoil', 'sentence'), MISTAKES.values(), ids=MISTAKES)
def test_what_the_tool_needs_is_said_in_a_sentence(small_tree: Path, file: str, spoil: Any, sentence: str) -> None:
    path = small_tree / 'configs/digits_lt' / file
    path.write_text(spoil(path.read_text()))
    before = (small_tree / 'configs/digits_lt/metafile.yml').read_text()
    with pytest.raises(sys.modules['write_index'].ConfigError, match=sentence):
        tool().main(arguments(check=False))
    assert (small_tree / 'configs/digits_lt/metafile.yml').read_text() == before


def test_first_sentence_does_not_end_at_an_abbreviation(tmp_path: Path) -> None:
    path = tmp_path / 'a.py'
    path.write_text('# Margins of Cao et al. 2019, with a scale of 1.0,\n# on two lines. More.\n_base_ = []\n')
    tool()
    sentence = sys.modules['index_facts'].first_sentence(path)
    assert sentence == 'Margins of Cao et al. 2019, with a scale of 1.0, on two lines'
