"""What stands in a report, in order: the templates set it, and decide nothing."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mmdrl.engine.run_record import RunRecord
from mmdrl.stats import imbalance_ratio

from .facts import commands, environment_rows, revision, run_rows
from .groups import RunGroup, data_key, differences, group_runs
from .paths import without_folders
from .pictures import Picture, compared_pictures, group_curves, run_pictures
from .representation import representation_tables
from .tables import Table, accuracy_rows, difference_rows, measure_rows, plan_rows, stage_rows
from .words import group_edges, summary


@dataclass(frozen=True)
class Section:
    """Groups on the same data; the figures are drawn when they are first asked for.

    Attributes:
        groups: Of runs.
        number: Of the section, for the names of the figures.
        title: The data in a few words.
        summary: Items of a list, a sentence each.
        edges: What many, medium and few mean.
        tables: Accuracies, differences, other measures.
        representation: Tables of what the first runs make of images.
        stages: A plan and its accuracies for each group.
    """

    groups: list[RunGroup]
    number: int
    title: str
    summary: list[str]
    edges: str
    tables: list[Table]
    representation: list[Table]
    stages: list[tuple[str, list[Table]]]

    @cached_property
    def curves(self) -> list[Picture]:
        """Loss and accuracy over training."""
        return group_curves(self.groups, f'data{self.number}-curves')

    @cached_property
    def compared(self) -> list[Picture]:
        """Figures of several groups."""
        return compared_pictures(self.groups, f'data{self.number}-compared')

    @cached_property
    def figures(self) -> list[tuple[str, list[Picture]]]:
        """Figures by group."""
        prefix = f'data{self.number}-group'
        drawn = [(group.name, run_pictures(group, f'{prefix}{i}')) for i, group in enumerate(self.groups, 1)]
        return [(name, pictures) for name, pictures in drawn if pictures]

    @property
    def pictures(self) -> list[Picture]:
        """All its pictures."""
        return [*self.curves, *self.compared, *(entry for _, entries in self.figures for entry in entries)]


@dataclass(frozen=True)
class Config:
    """Text of a group's config; what the other groups have otherwise is marked, line by line."""

    name: str
    lines: list[tuple[str, bool]]


@dataclass(frozen=True)
class Content:
    """A whole report."""

    title: str
    sections: list[Section]
    notes: list[str]
    runs: Table
    changed: Table
    configs: list[Config]
    environment: Table
    revisions: list[str]
    commands: list[str]

    @property
    def pictures(self) -> list[Picture]:
        """All pictures."""
        return [entry for section in self.sections for entry in section.pictures]


def report_content(records: Sequence[RunRecord], title: str | None = None) -> Content:
    """Content of the report of some runs; the first group is what the others are compared with."""
    groups, notes = group_runs(records)
    names = _names(records)
    parts = _sections(groups)
    if len(parts) > 1:
        notes.append(
            f'The runs were made on {len(parts)} sets of data, or with other edges between many and few. Their numbers '
            'do not compare and stand in sections of their own.'
        )
    revisions = list(dict.fromkeys(revision(record.results) for record in records if record.is_finished))
    if len(revisions) > 1:
        notes.append(f'The runs were made with different revisions of the code: {", ".join(revisions)}.')
    notes += [f'{names[id(record)]}: {note}' for record in records for note in record.notes]
    named = ', '.join(dict.fromkeys(record.config_name for record in records))
    return Content(
        title=title or f'Report of {named}',
        sections=[_section(part, number) for number, part in enumerate(parts, 1)],
        notes=[str(without_folders(note)) for note in notes],
        runs=run_rows(groups, names),
        changed=_changed(groups),
        configs=_configs(groups),
        environment=environment_rows(records, names),
        revisions=[entry for entry in revisions if entry != '-'],
        commands=commands(groups),
    )


def _sections(groups: Sequence[RunGroup]) -> list[list[RunGroup]]:
    """Groups that may share a table; one that has not ended goes where the same images are validated."""
    parts: dict[str, list[RunGroup]] = {}
    for group in [*(g for g in groups if g.is_finished), *(g for g in groups if not g.is_finished)]:
        key = data_key(group.records[0])
        if not group.is_finished:
            alike = (k for k, part in parts.items() if _data(part[0]) == _data(group))
            key = next(alike, key)
        parts.setdefault(key, []).append(group)
    return list(parts.values())


def _data(group: RunGroup) -> Any:
    config = group.records[0].config or {}
    return [(config.get(f'{kind}_dataloader') or {}).get('dataset') for kind in ('train', 'val')]


def _section(groups: list[RunGroup], number: int) -> Section:
    tables = [accuracy_rows(groups), difference_rows(groups), measure_rows(groups)]
    stages = [(group.name, [plan_rows(group), stage_rows(group)]) for group in groups]
    results = groups[0].records[0].results
    return Section(
        groups=groups,
        number=number,
        title=_data_words(results.get('class_counts')),
        summary=summary(groups),
        edges=group_edges(results.get('shot_groups') or {}),
        tables=[table for table in tables if table.rows],
        representation=representation_tables(groups),
        stages=[(name, kept) for name, entries in stages if (kept := [entry for entry in entries if entry.rows])],
    )


def _data_words(counts: Sequence[int] | None) -> str:
    if not counts:
        return 'Data whose class sizes are not known'
    ratio = f', imbalance ratio {imbalance_ratio(counts):.3g}' if min(counts) > 0 else ''
    return (
        f'{len(counts)} classes, {sum(counts):,} training images, {max(counts):,} to {min(counts):,} per class{ratio}'
    )


def _names(records: Sequence[RunRecord]) -> dict[int, str]:
    """Names of the folders; with those above them where two are alike."""
    alike = len({record.name for record in records}) < len(records)
    if not alike:
        return {id(record): record.name for record in records}
    paths = [str(record.folder.resolve()) for record in records]
    top = os.path.commonpath([os.path.dirname(path) for path in paths])
    return {id(record): os.path.relpath(path, top) for record, path in zip(records, paths, strict=True)}


def _changed(groups: Sequence[RunGroup]) -> Table:
    rows = [[key, *texts] for key, texts in differences([group.records[0] for group in groups]).items()]
    rows = [[str(without_folders(text.strip('\'"'))) for text in row] for row in rows]
    return Table('Settings that differ between the groups', ['setting', *(g.name for g in groups)], rows, False)


def _configs(groups: Sequence[RunGroup]) -> list[Config]:
    from mmengine.config import Config as HostConfig

    texts = {}
    for group in groups:
        config = group.records[0].config
        if config is not None:
            plain = {key: value for key, value in config.to_dict().items() if key != 'work_dir'}
            texts[group.name] = HostConfig(without_folders(plain)).pretty_text.splitlines()
    found = []
    for name, lines in texts.items():
        others = [set(entry) for other, entry in texts.items() if other != name]
        found.append(Config(name, [(line, any(line not in other for other in others)) for line in lines]))
    return found
