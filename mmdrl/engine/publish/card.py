"""The page that goes with a published checkpoint: what it is, where it is from, what it measures, how to load it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmdrl.visualization import by_classifier

from .origin import classes_section, training_section
from .run_folder import FinishedRun

Metrics = Mapping[str, float | None]
_GROUPS = ('many', 'medium', 'few', 'all')


@dataclass(frozen=True)
class CardFacts:
    """What the card says beside the run.

    Attributes:
        name: Of the files, without ending.
        data: Name of the training set.
        sha256: Of the checkpoint.
        tests_on_validation: Whether validation and test are the same.
        tested: Metrics of the test set, of the published file; ``None`` if it was not checked.
        head: Config of the head if a stage has changed it.
        chosen: How the checkpoint was chosen among those of the run.
        notes: Further sentences.
    """

    name: str
    data: str
    sha256: str
    tests_on_validation: bool
    tested: Metrics | None
    head: dict[str, Any] | None
    chosen: str
    notes: list[str]


def model_card(run: FinishedRun, cfg_text: str, facts: CardFacts) -> str:
    """The page in Markdown."""
    return '\n\n'.join(
        [
            f'# {facts.name}',
            _what(run, facts),
            _accuracy(run, facts),
            _loading(facts),
            training_section(run),
            classes_section(run),
            f'## Config\n\nAlso in `{facts.name}.py`.\n\n```python\n{cfg_text.strip()}\n```\n',
        ]
    )


def how_chosen(run: FinishedRun) -> str:
    """In words, how the checkpoint was chosen among those of the run."""
    meta = run.content.get('meta') or {}
    rebalanced = meta.get('rebalance')
    if rebalanced:
        strength = '' if rebalanced.get('strength') is None else f' {rebalanced["strength"]}'
        return (
            f'{rebalanced["source"]}, rebalanced by {rebalanced["rule"]}{strength}, which was best of the rules by '
            f'{rebalanced["chosen_by"]!r} on the validation set'
        )
    if 'metric' in meta and 'stage' in meta:
        return f'the best of stage {meta["stage"]!r} by {meta["metric"]!r} on the validation set'
    if run.checkpoint.name.startswith('best_'):
        return 'the best of the run by a metric on the validation set'
    if run.is_last:
        return 'the last of the run'
    if run.is_newest:
        return f'`{run.checkpoint.name}`, saved before the end of the run, the last that there is'
    return f'`{run.checkpoint.name}`, one of the run that is not its last'


def _what(run: FinishedRun, facts: CardFacts) -> str:
    lines = [
        f'A classifier for {len(run.results.get("class_counts") or []) or "?"} classes with '
        f'{run.results.get("parameters", 0):,} parameters, trained on {facts.data} by the config `{run.config}` with '
        f'mmdrl {(run.results.get("versions") or {}).get("mmdrl", "?")}.',
        f'File: `{facts.name}.pth`  \nSHA-256: `{facts.sha256}`',
        f'One run with one seed ({run.results.get("seed")}); the checkpoint is {facts.chosen}.',
    ]
    if facts.tests_on_validation:
        is_chosen = facts.chosen.endswith('on the validation set')
        consequence = ': accuracy on them is optimistic' if is_chosen else ''
        lines.append(f'Validation and test set have the same images{consequence}.')
    return '\n\n'.join(lines + facts.notes)


def _accuracy(run: FinishedRun, facts: CardFacts) -> str:
    parts = ['## Accuracy', _group_words(run.results.get('shot_groups') or {})]
    validation = run.results.get('metrics') if run.is_last else None
    if facts.tested is not None:
        parts += ['Test set, this file loaded into a fresh model:', _table(facts.tested)]
        parts.append('Checked: the checkpoint of the run, tested afresh, gives the same numbers to the last digit.')
    if validation and not (facts.tests_on_validation and facts.tested is not None):
        parts += ['Validation set, at the end of training:', _table(validation)]
    if facts.tested is None:
        parts.append('The file was not tested again after it was written.')
    return '\n\n'.join(part for part in parts if part)


def _group_words(groups: Mapping[str, Any]) -> str:
    if not groups:
        return 'Percent.'
    more, fewer = ('more', 'fewer') if groups.get('edges') == 'exclusive' else ('at least', 'at most')
    than = ' than' if groups.get('edges') == 'exclusive' else ''
    return (
        f'Top-1 in percent; many, medium and few are means over the classes with {more}{than} {groups["many"]} '
        f'training images, those between, and those with {fewer}{than} {groups["few"]}.'
    )


def _table(metrics: Metrics) -> str:
    rows = {'nearest class mean' if name == 'ncm' else name: row for name, row in by_classifier(metrics).items()}
    others = {name: value for name, value in metrics.items() if name.rpartition('/')[2] not in _GROUPS}
    lines = []
    if rows:
        lines += [f'| classifier | {" | ".join(_GROUPS)} |', '|---|---|---|---|---|']
        lines += [f'| {name} | {" | ".join(_percent(row.get(g)) for g in _GROUPS)} |' for name, row in rows.items()]
    if others:
        lines += ([''] if lines else []) + ['| metric | value |', '|---|---|']
        lines += [f'| {name} | {"-" if value is None else f"{value:.4g}"} |' for name, value in others.items()]
    return '\n'.join(lines)


def _loading(facts: CardFacts) -> str:
    file, config = f'{facts.name}.pth', f'{facts.name}.py'
    head = '' if facts.head is None else f',\n                  head=dict(_delete_=True, **{facts.head!r})'
    note = '' if facts.head is None else '\n\nA stage has changed the head: `get_model` must be told, testing sees it.'
    return (
        f'## Loading\n\nTest:\n\n```\nmim test mmdrl {config} --checkpoint {file}\n```\n\nIn a program:\n\n'
        f'```python\nfrom mmpretrain import get_model\n\n'
        f"model = get_model('{config}', pretrained='{file}'{head})\n```{note}\n\n"
        f"Begin training with it, in a config:\n\n```python\nload_from = '{file}'\n```\n\n"
        'It holds weights, class counts and centroids as plain data (`weights_only=True`), and no state of the '
        'optimiser: training cannot be resumed from it.'
    )


def _percent(value: float | None) -> str:
    return '-' if value is None or value != value else f'{value:.1f}'
