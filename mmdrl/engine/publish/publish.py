"""From the folder of a run to the files that are published."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from mmdrl.datasets.preparation import disk_errors
from mmdrl.engine.checkpoints import check_belongs, write_checkpoint
from mmdrl.engine.config import innermost_dataset, load_config
from mmdrl.engine.dumped_config import dumped_values
from mmdrl.engine.model_parts import unwrap
from mmdrl.engine.quiet import quiet_runner
from mmdrl.engine.stages.head import head_config, head_of_checkpoint, plan_of
from mmdrl.engine.workshops import workshop
from mmdrl.hashed_files import file_hash

from .card import CardFacts, how_chosen, model_card
from .check import check_same, measure, tests_on_validation
from .content import published_config, published_content
from .names import checked_address, checked_day, checked_name, day_of
from .notes import changes_in_words, changes_to_shipped, compared_with_results, notes_of
from .place import move_all
from .row import metafile_row, row_text
from .run_folder import FinishedRun, read_run

_ENDINGS = dict(checkpoint='.pth', config='.py', card='.md', metafile='.yml', log='.log.json')


@dataclass(frozen=True)
class Published:
    """What was written.

    Attributes:
        files: By what they are: ``checkpoint``, ``config``, ``card``, ``log`` and ``metafile``.
        sha256: Of the checkpoint.
        row: Of the metafile.
        metrics: On the test set; ``None`` if the file was not checked.
        notes: What should be known.
    """

    files: dict[str, Path]
    sha256: str
    row: dict[str, Any]
    metrics: Mapping[str, float | None] | None
    notes: list[str]

    def to_json(self) -> str:
        """All of it as one JSON object."""
        return json.dumps(vars(self) | dict(files={kind: str(path) for kind, path in self.files.items()}), indent=1)


def publish(
    folder: Path,
    out: Path,
    checkpoint: Path | None = None,
    name: str | None = None,
    date: str | None = None,
    check: bool = False,
    url_prefix: str | None = None,
) -> Published:
    """Write checkpoint, config, card, log and metafile row of a run that has ended: all or none.

    Args:
        folder: Work folder of the run.
        out: Folder to write to, made if need be.
        checkpoint: One of the run's, or made of one; not given: its last.
        name: Beginning of the files' names; not given: the config's.
        date: Day in them, ``YYYYMMDD``; not given: that of the checkpoint, UTC.
        check: Whether to test the published file, and the run's, on the test set. A checkpoint that ``results.json``
            has no numbers of is always checked.
        url_prefix: Address of the folder where the files will lie.

    Raises:
        MMDRLError: If something does not fit, the check fails, or a file of another content is there.
    """
    address = checked_address(url_prefix) if url_prefix is not None else None
    day = checked_day(date) if date is not None else None
    run = read_run(folder, checkpoint)
    dumped_values(run.config_text, f'the config of {run.checkpoint}')  # a checkpoint is data, and so is its config
    prefix = f'{checked_name(run.config if name is None else name)}_{day or day_of(run)}'
    with TemporaryDirectory() as aside:
        source = Path(aside) / f'{run.config}.py'
        source.write_text(run.config_text, encoding='utf-8')
        cfg = load_config(str(source), persistent_workers=False)
        shown = published_config(cfg)
        content = _content(run, cfg, shown)
        with disk_errors(f'Writing into {out}'):
            out.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            with disk_errors(f'Writing into {out}'):
                made = held.enter_context(workshop(out, '.publishing-'))
            unnamed = made / 'checkpoint.pth'
            write_checkpoint(content, unnamed)
            sha256 = file_hash(unnamed)
            file = unnamed.rename(unnamed.with_name(f'{prefix}-{sha256[:8]}.pth'))
            config = file.with_suffix('.py')
            with disk_errors(f'Writing into {out}'):
                config.write_text(shown.pretty_text, encoding='utf-8')
            tested, notes = None, notes_of(run, cfg)
            if check or not run.is_last:
                tested = measure(config, file)
                check_same(measure(source, run.checkpoint), tested, (run.checkpoint.name, file.name))
                notes += compared_with_results(run, cfg, tested)
            changes = changes_to_shipped(run, cfg)
            notes += [changes_in_words(run, changes)] if changes else []
            is_same = tests_on_validation(cfg)
            metrics = tested or (run.results.get('metrics') if run.is_last and is_same else None)
            link = None if address is None else f'{address}/{file.name}'
            row = metafile_row(None if changes else run.config, file.stem, metrics, link, _metadata(run, cfg))
            data, head = row['Metadata']['Training Data'], content['meta']['head']
            facts = CardFacts(file.stem, data, sha256, is_same, tested, head, how_chosen(run), notes)
            with disk_errors(f'Writing into {out}'):
                file.with_suffix('.md').write_text(model_card(run, shown.pretty_text, facts), encoding='utf-8')
                file.with_suffix('.yml').write_text(row_text(row), encoding='utf-8')
                file.with_suffix('.log.json').write_text(_log(run), encoding='utf-8')
            move_all(list(file.parent.iterdir()), out)
    files = {kind: out / file.with_suffix(end).name for kind, end in _ENDINGS.items()}
    return Published(files, sha256, row, tested, notes)


def _content(run: FinishedRun, cfg: Config, shown: Config) -> dict[str, Any]:
    """Content of the published file, for the model that the checkpoint was saved of."""
    with TemporaryDirectory() as folder:
        runner = quiet_runner(cfg, str(run.checkpoint), run.content, folder)
        model = unwrap(runner.model)
        check_belongs(run.content, model, str(run.checkpoint), losses=False)
        return published_content(run, model, _changed_head(runner, run), shown)


def _changed_head(runner: Runner, run: FinishedRun) -> dict[str, Any] | None:
    """Config of the head if a stage has changed it."""
    plan = plan_of(runner)
    if plan is None or head_of_checkpoint(runner, run.content) is None:
        return None
    saved = run.content['stages']
    current = saved['plan'][saved['current']]['name']
    return head_config(runner.cfg, plan, next(i for i, stage in enumerate(plan.stages) if stage.name == current))


def _metadata(run: FinishedRun, cfg: Config) -> dict[str, Any]:
    """What a metafile says of a model that mmdrl does not know."""
    dataset = innermost_dataset(cfg, 'train_dataloader')
    return {
        'Training Data': str(dataset.get('type', 'unknown')).rpartition('.')[2],
        'Epochs': run.results.get('epochs'),
        'Parameters': run.results.get('parameters'),
    }


def _log(run: FinishedRun) -> str:
    """All scalars of the run, one JSON object a line, of resumed parts one after the other."""
    folders = [run.folder / name for name in run.results.get('log_folders') or []] or sorted(run.folder.iterdir())
    logs = [folder / 'vis_data/scalars.json' for folder in folders]
    return ''.join(log.read_text(encoding='utf-8') for log in logs if log.is_file())
