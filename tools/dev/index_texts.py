"""The metafiles and README tables of the configs as text."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import yaml  # type: ignore[import-untyped]
from index_facts import Facts

from mmdrl.errors import ConfigError

BEGIN = '<!-- Made by tools/dev/write_index.py from the configs and the result files; do not edit by hand. -->'
END = '<!-- End of what write_index.py has made. -->'
# Rows come in this order; what is not here comes after, by name.
ORDER = (
    *('drl', 'drl-la', 'drl-linear', 'drl-crt', 'drl-released'),
    *('ce', 'ce-plain', 'ncm', 'taunorm', 'ce-crt', 'lws', 'balsoftmax', 'ldam-drw', 'la', 'crt'),
)
NAMES = {'r': 'ResNet', 'x': 'ResNeXt'}
HEADER = '| config | method | epochs | command | parameters | FLOPs | measured |\n|---|---|---|---|---|---|---|\n'
DRO_LT = ('Distributional Robustness Loss for Long-tail Learning', 'https://arxiv.org/abs/2104.03066')
KANG = ('Decoupling Representation and Classifier for Long-Tailed Recognition', 'https://arxiv.org/abs/1910.09217')
MENON = ('Long-Tail Learning via Logit Adjustment', 'https://arxiv.org/abs/2007.07314')
PAPERS = {  # of the controls, by method
    'ce-crt': KANG,
    'lws': KANG,
    'ncm': KANG,
    'taunorm': KANG,
    'balsoftmax': ('Balanced Meta-Softmax for Long-Tailed Visual Recognition', 'https://arxiv.org/abs/2007.10740'),
    'la': MENON,
    'ldam-drw': (
        'Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss',
        'https://arxiv.org/abs/1906.07413',
    ),
}


def metafile(folder: str, rows: list[Facts], old: str = '') -> str:
    """Text of ``configs/<folder>/metafile.yml``: one collection of the DR loss, one of its controls, all rows.

    The ``Weights`` of a row, its published checkpoint, are the one thing that is entered by hand, with the ``Results``
    of this checkpoint: tools/publish_model.py makes both.

    Args:
        folder: Of the configs.
        rows: Its configs.
        old: The text so far, whose published rows keep the two.
    """
    published = {row['Name']: row for row in yaml.safe_load(old or 'Models: []')['Models'] if 'Weights' in row}
    readme = f'configs/{folder}/README.md'
    dro_lt, controls = f'DRO-LT-{rows[0].dataset}', f'Controls-{rows[0].dataset}'  # for a shell, without spaces
    collections = [dict(Name=dro_lt, Paper=_paper(DRO_LT), README=readme), dict(Name=controls, README=readme)]
    models = [_model(row, dro_lt if uses_dr_loss(row) else controls) for row in in_order(rows)]
    for model in models:
        known = published.get(model['Name'], {})
        model |= {key: known[key] for key in ('Weights', 'Results') if key in known}
    content = dict(Collections=collections, Models=models)
    return yaml.dump(content, Dumper=_Indented, sort_keys=False, allow_unicode=True, width=1000)


def model_index(folders: Iterable[str]) -> str:
    """Text of ``model-index.yml``."""
    lines = ''.join(f'  - configs/{folder}/metafile.yml\n' for folder in sorted(folders))
    return (
        "# Every row of the configs, by data set: what `mim search mmdrl` and MMPretrain's model list read.\n"
        f'Import:\n{lines}'
    )


def table(rows: list[Facts]) -> str:
    """Rows in groups: the DR loss, its controls, its ablations, then each other model or ratio."""
    sizes = Counter(row.variant for row in rows)
    main = max(sizes, key=lambda variant: (sizes[variant], variant.partition('_')[0] == 'r50'))
    groups: dict[str, list[Facts]] = {'The DR loss': [], 'Controls': [], 'One thing changed in `drl`': []}
    for row in in_order(rows):
        if row.variant != main:
            title = f'The same for `{row.variant}`'
        elif is_ablation(row):
            title = 'One thing changed in `drl`'
        else:
            title = 'The DR loss' if uses_dr_loss(row) else 'Controls'
        groups.setdefault(title, []).append(row)
    return '\n'.join(f'{title}:\n\n{HEADER}{"".join(map(_line, group))}' for title, group in groups.items() if group)


def with_table(readme: str, rows: list[Facts], where: str) -> str:
    """The page with a new table between its two marks.

    Raises:
        ConfigError: If the marks are not there.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError(f'{where} must have a line {BEGIN!r} and after it a line {END!r}: the table goes between.')
    return f'{before}{BEGIN}\n\n{table(rows)}\n{END}{after}'


def in_order(rows: list[Facts]) -> list[Facts]:
    """By model and set, those with most ablations first; then by method."""

    def key(row: Facts) -> tuple[Any, ...]:
        model, _, rest = row.variant.partition('_')
        ratio = re.search(r'-ir(\d+)$', rest)
        rank = ORDER.index(method_of(row)) if method_of(row) in ORDER else len(ORDER)
        return model, -int(ratio[1]) if ratio else 0, rank, row.name

    return sorted(rows, key=key)


def method_of(row: Facts) -> str:
    """First part of the name."""
    return row.name.partition('_')[0]


def uses_dr_loss(row: Facts) -> bool:
    """Whether it is a row of the paper and not a control."""
    return method_of(row).partition('-')[0] == 'drl'


def is_ablation(row: Facts) -> bool:
    """Whether it is ``drl`` of the same model and set but for what it changes."""
    return uses_dr_loss(row) and row.inherits == (f'drl_{row.variant}',)


def _model(row: Facts, collection: str) -> dict[str, Any]:
    letter, depth = re.match(r'([a-z]+)(\d+)_', row.variant).groups()  # type: ignore[union-attr]
    entry: dict[str, Any] = {
        'Name': row.name,
        'In Collection': collection,
        'Config': row.path,
        'Metadata': {
            'Training Data': row.dataset,
            'Epochs': sum(row.epochs),
            'Batch Size': row.batch_size,
            'FLOPs': row.flops,
            'Parameters': row.parameters,
            'Architecture': [f'{NAMES[letter]}-{depth}'],
        },
    }
    if method_of(row) in PAPERS:
        entry['Paper'] = _paper(PAPERS[method_of(row)])
    # MMPretrain takes the task of a model from its results, so a row without any number has it, too.
    metrics = {} if row.measured is None else {'Top 1 Accuracy': round(row.measured.mean, 2)}
    entry['Results'] = [{'Task': 'Image Classification', 'Dataset': row.dataset, 'Metrics': metrics}]
    return entry


def _paper(paper: tuple[str, str]) -> dict[str, str]:
    return dict(Title=paper[0], URL=paper[1])


def _line(row: Facts) -> str:
    cells = (
        f'`{row.name}.py`',
        row.method.replace('|', r'\|'),
        ' + '.join(map(str, row.epochs)),
        f'`{row.command}`',
        f'{row.parameters:,}',
        _short(row.flops),
        _measured(row),
    )
    return f'| {" | ".join(cells)} |\n'


def _measured(row: Facts) -> str:
    found = row.measured
    if found is None:
        return 'not yet'
    return f'{found.mean:.1f} ± {found.deviation:.1f} ([{len(found.accuracies)} seeds](../../{found.file}))'


def _short(number: int) -> str:
    """Three digits, in millions or billions."""
    unit, name = (1e9, 'G') if number >= 1e9 else (1e6, 'M')
    return f'{number / unit:#.3g} {name}'


class _Indented(yaml.SafeDumper):
    """Indents lists below their key, as OpenMMLab's metafiles do, and repeats what occurs twice."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        """With lists indented."""
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """Always."""
        return True
