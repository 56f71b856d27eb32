"""Tables stay readable on a narrow terminal."""

from rich.console import Console

from mmdrl.visualization import accuracy_table


def test_long_names_give_way_and_numbers_do_not() -> None:
    row = dict(many=100.0, medium=99.9, few=83.6, all=91.8)
    names = [f'lr_search_optim_wrapper.optimizer.lr_{rate}, nearest class mean' for rate in (0.1, 0.05)]
    console = Console(width=60, record=True, highlight=False)
    console.print(accuracy_table(dict.fromkeys(names, row)))
    text = console.export_text()
    assert [text.count(number) for number in ('100.0', '99.9', '83.6', '91.8')] == [2] * 4
    assert 'medium' in text
    assert '\u2026' not in text
