"""The text of a config: what yapf makes of it, made once."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

import mmdrl
from mmdrl.config_text import KEPT, remembering

ROOT = Path(__file__).parents[1]
YAPF = importlib.import_module('yapf.yapflib.yapf_api')
CONFIG = importlib.import_module('mmengine.config.config')
FORMAT = YAPF.FormatCode.__wrapped__  # without what mmdrl adds
PLACE = CONFIG if hasattr(CONFIG, 'FormatCode') else YAPF  # of upstream and of its fork


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What yapf itself is given."""
    given: list[str] = []

    def lay_out(text: str, **settings: Any) -> Any:
        given.append(text)
        return FORMAT(text, **settings)

    monkeypatch.setattr(PLACE, 'FormatCode', remembering(lay_out))
    return given


@pytest.mark.host
def test_importing_mmdrl_has_the_host_keep_the_text() -> None:
    assert mmdrl.__version__
    assert PLACE.FormatCode.remembers
    assert not hasattr(PLACE.FormatCode.__wrapped__, 'remembers')


@pytest.mark.host
def test_text_is_that_of_yapf_and_made_once(texts: list[str]) -> None:
    cfg = Config.fromfile(ROOT / 'configs/drl_r8_digits-lt.py')
    shown = [cfg.pretty_text for _ in range(3)]
    assert len(texts) == 1
    style = dict(
        based_on_style='pep8',
        blank_line_before_nested_class_or_def=True,
        split_before_expression_after_opening_paren=True,
    )
    assert shown == 3 * [FORMAT(texts[0], style_config=style)[0]]


def test_changed_config_has_its_own_text(texts: list[str]) -> None:
    cfg = Config(dict(model=dict(type='ResNet', depth=18), seeds=[1, 2]))
    before = cfg.pretty_text
    cfg.model.depth = 50
    assert cfg.pretty_text == before.replace('18', '50')
    cfg.seeds.append(3)
    assert '3' in cfg.pretty_text
    cfg.model.depth, cfg.seeds = 18, [1, 2]
    assert cfg.pretty_text == before
    assert len(texts) == 3


def test_only_the_last_texts_are_kept() -> None:
    calls: list[str] = []
    answer = remembering(lambda text, **_: calls.append(text))
    for number in [*range(KEPT + 1), 0]:
        answer(str(number), style_config={})
    assert calls == [*map(str, range(KEPT + 1)), '0']


@pytest.mark.parametrize(
    'settings', [dict(style_config='.style.yapf'), dict(), dict(style_config=dict(lines=[1]))], ids=str
)
def test_what_may_change_behind_its_name_is_asked_anew(settings: dict[str, Any]) -> None:
    calls: list[Any] = []
    answer = remembering(lambda text, **given: calls.append(given))
    answer('a=1', **settings)
    answer('a=1', **settings)
    assert calls == 2 * [settings]


def test_mistakes_are_not_kept() -> None:
    answer: Callable[..., Any] = remembering(FORMAT)
    for _ in range(2):
        with pytest.raises(Exception, match='EOF') as caught:
            answer('a=(', style_config=dict(based_on_style='pep8'))
        assert caught.type.__name__ in ('YapfError', 'SyntaxError', 'ParseError')
